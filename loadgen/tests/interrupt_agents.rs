//! A signal to a coordinator ends the parts of its agents, and the report is about the time until then. A coordinator that is killed
//! leaves no agent that goes on.

mod harness;

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use harness::{LOADGEN, NullServer, read, scratch};
use rustix::process::{Pid, Signal, kill_process};

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process with its stderr in a file. Killed when dropped.
struct Logged {
    child: Child,
    name: String,
}

impl Logged {
    fn start(name: &str, mut command: Command) -> Self {
        let child = command.stderr(File::create(scratch(&format!("{name}.log"))).unwrap()).spawn().unwrap();
        Self { child, name: name.into() }
    }

    /// Waits until the process has written this text to stderr.
    fn writes(&self, text: &str) {
        let file = scratch(&format!("{}.log", self.name));
        until(text, || fs::read_to_string(&file).is_ok_and(|log| log.contains(text)));
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Starts an agent. Returns it and its address.
fn agent(name: &str) -> (Logged, String) {
    let mut command = Command::new(LOADGEN);
    command.args(["agent", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut agent = Logged::start(name, command);
    let mut line = String::new();
    BufReader::new(agent.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (agent, line.trim().strip_prefix("agent on ").unwrap().to_owned())
}

/// Starts a coordinator of these agents, and waits until both have received messages. Only a signal ends the run in time.
fn coordinator(name: &str, server: &NullServer, [one, two]: [&(Logged, String); 2]) -> Logged {
    let run = server.run(&["--for", "60s", "--allow-busy"]);
    let mut command = Command::new(LOADGEN);
    command.args(["coordinate", "--agents", &format!("{},{}", one.1, two.1)]).args(run.get_args().skip(1));
    command.arg("--json").arg(scratch(&format!("{name}.json"))).stdout(Stdio::null());
    let coordinator = Logged::start(name, command);
    one.0.writes("max");
    two.0.writes("max");
    coordinator
}

#[test]
fn a_signal_to_a_coordinator_ends_all_parts_with_a_report() {
    let (server, one, two) = (NullServer::start(&[]), agent("stopped-1"), agent("stopped-2"));
    let mut run = coordinator("stopped", &server, [&one, &two]);
    run.signal(Signal::INT);
    let mut status = None;
    until("the run ends", || {
        status = run.child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(13));
    let report = read(&scratch("stopped.json"));
    assert_eq!((&report["verdict"]["outcome"], &report["generators"]), (&"cut_short".into(), &2.into()));
}

#[test]
fn a_coordinator_that_is_killed_leaves_no_agent_that_goes_on() {
    let (server, one, two) = (NullServer::start(&[]), agent("left-1"), agent("left-2"));
    let run = coordinator("left", &server, [&one, &two]);
    run.signal(Signal::KILL);
    for (agent, _) in [&one, &two] {
        agent.writes("failed");
    }
}
