//! A signal to a coordinator ends the parts of its agents, and the report is about the time until then. A coordinator that is killed
//! leaves no agent that goes on.

use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    process::Command,
};

use muster_testkit::{LoggedProcess, wait::blocking_until};
use rustix::process::Signal;
use tempfile::tempdir;

use crate::{
    null_server::{LOADGEN, NullServer},
    report::{gate, read},
};

/// An agent and its address.
struct Agent {
    run: LoggedProcess,
    address: String,
}

impl Agent {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(flags: &[&str]) -> Self {
        let mut command = Command::new(LOADGEN);
        let run = LoggedProcess::start(command.args(["agent", "--listen", "127.0.0.1:0"]).args(flags));
        let mut address = None;
        blocking_until("the agent prints its address", || {
            let printed = run.stdout();
            address = printed.split_once('\n').and_then(|(line, _)| line.strip_prefix("agent on ")).map(str::to_owned);
            address.is_some()
        });
        Self { run, address: address.unwrap() }
    }

    /// Waits until the agent has written this text to stderr.
    fn writes(&self, text: &str) {
        blocking_until(text, || self.run.stderr().contains(text));
    }
}

/// Starts a coordinator of these agents, and waits until both have received messages. Only a signal ends the run in time.
fn coordinator(server: &NullServer, [one, two]: [&Agent; 2], flags: &[&str]) -> LoggedProcess {
    let run = server.run(&["--for", "60s"]);
    let mut command = Command::new(LOADGEN);
    command.args(["coordinate", "--agents", &format!("{},{}", one.address, two.address)]);
    let coordinator = LoggedProcess::start(command.args(run.get_args().skip(1)).args(flags));
    one.writes("max");
    two.writes("max");
    coordinator
}

#[test]
fn a_signal_to_a_coordinator_ends_all_parts_with_a_report() {
    let (server, one, two) = (NullServer::start(&[]), Agent::start(), Agent::start());
    let folder = tempdir().unwrap();
    let file = folder.path().join("report.json");
    let mut run = coordinator(&server, [&one, &two], &["--json", file.to_str().unwrap()]);
    run.process.signal(Signal::INT);
    assert_eq!(run.process.blocking_ended().code(), Some(13));
    let report = read(&file);
    assert_eq!((&report["verdict"]["outcome"], &report["generators"]), (&"cut_short".into(), &2.into()));
}

#[test]
fn an_agent_that_is_killed_costs_no_report_of_the_others() {
    let (server, one, two) = (NullServer::start(&[]), Agent::start(), Agent::start());
    let folder = tempdir().unwrap();
    let file = folder.path().join("report.json");
    let flags = ["--for", "4s", "--title", "with a blank", "--json", file.to_str().unwrap()];
    let mut run = coordinator(&server, [&one, &two], &flags);
    two.run.process.signal(Signal::KILL);
    assert_eq!(run.process.blocking_ended().code(), Some(12));
    let report = read(&file);
    assert_eq!((&report["generators"], &report["title"]), (&1.into(), &"with a blank".into()));
    assert_eq!(gate(&report, "the generator")["ok"], false);
    assert!(run.stderr().contains(&format!("leaves out agent {}", two.address)), "{}", run.stderr());
}

#[test]
fn a_server_or_an_agent_that_says_nothing_is_not_waited_for_for_ever() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let run = |args: &[&str]| {
        let out = Command::new(LOADGEN).args(args).output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let api = format!("http://{address}");
    let (code, told) = run(&["run", "--url", "ws://127.0.0.1:1/", "--api", &api]);
    assert!(code == Some(2) && told.contains(&format!("--api {api}/ did not answer")), "{told}");

    let server = NullServer::start(&[]);
    let (url, api) = (format!("ws://{}/ws", server.address), format!("http://{}", server.address));
    let (code, told) = run(&["coordinate", "--agents", &address.to_string(), "--url", &url, "--api", &api]);
    assert!(code == Some(2) && told.contains(&format!("agent {address}: it says nothing")), "{told}");
}

#[test]
fn a_coordinator_that_is_killed_leaves_no_agent_that_goes_on() {
    let (server, one, two) = (NullServer::start(&[]), Agent::start(), Agent::start());
    let run = coordinator(&server, [&one, &two], &[]);
    run.process.signal(Signal::KILL);
    for agent in [&one, &two] {
        agent.writes("failed");
    }
}

#[test]
fn an_agent_with_a_token_obeys_nobody_who_does_not_know_it() {
    let (server, agent) = (NullServer::start(&[]), Agent::with(&["--agent-token", "sesame"]));
    let coordinate = |flags: &[&str]| {
        let mut command = Command::new(LOADGEN);
        command.args(["coordinate", "--agents", &agent.address]).args(server.run(&[]).get_args().skip(1)).args(flags);
        let out = command.output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
    };
    let (code, told) = coordinate(&[]);
    assert!(code == Some(2) && told.contains("needs --agent-token"), "{told}");
    let (code, told) = coordinate(&["--agent-token", "wrong"]);
    assert!(code == Some(2) && told.contains("of the coordinator is not the agent's"), "{told}");
    // Somebody who says nothing, or too much, does not keep the agent for long.
    let mut stranger = TcpStream::connect(&agent.address).unwrap();
    stranger.write_all(&[b'x'; 4096]).unwrap();
    let (code, told) = coordinate(&["--agent-token", "sesame"]);
    assert!(code == Some(0) && !told.contains("sesame"), "{told}");
}
