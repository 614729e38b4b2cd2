//! A signal, or Ctrl-C on a terminal, ends a run early. The report and the outputs are written, and the exit code is
//! 13.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use muster_testkit::TestProcess;
use rustix::{
    process::Signal,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use tempfile::tempdir;

use crate::{null_server::NullServer, report::read};

/// A run that only a signal ends in time.
const LONG: [&str; 2] = ["--for", "60s"];

/// The same command with the default action of SIGHUP, which tests that run under `nohup` inherit as ignored.
fn hearing_hangups(command: &Command) -> Command {
    let mut env = Command::new("env");
    env.arg("--default-signal=HUP").arg(command.get_program()).args(command.get_args());
    env.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    env
}

/// Starts a run on pipes, waits until messages are received, sends the signal, and checks how the run ends.
fn signalled(signal: Signal) {
    let (server, folder) = (NullServer::start(&[]), tempdir().unwrap());
    let file = folder.path().join("report.json");
    let mut command = server.run(&LONG);
    command.arg("--json").arg(&file);
    let mut run = TestProcess::start(hearing_hangups(&command).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let mut lines = BufReader::new(run.child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("max")), "messages are received");
    run.signal(signal);
    lines.for_each(drop);
    let mut report = String::new();
    run.child.stdout.take().unwrap().read_to_string(&mut report).unwrap();
    assert_eq!(run.blocking_ended().code(), Some(13), "{report}");
    assert!(report.contains("CUT SHORT"), "{report}");
    assert_eq!(read(&file)["verdict"]["outcome"], "cut_short");
}

#[test]
fn sigint_on_a_pipe_ends_the_run_with_a_report() {
    signalled(Signal::INT);
}

#[test]
fn sigterm_on_a_pipe_ends_the_run_with_a_report() {
    signalled(Signal::TERM);
}

#[test]
fn sighup_on_a_pipe_ends_the_run_with_a_report() {
    signalled(Signal::HUP);
}

/// Opens a pseudo-terminal. Returns the test's end and the path of the program's end.
fn terminal() -> (OwnedFd, String) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    tcsetwinsize(&ours, Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    (ours, path)
}

/// Starts a run on a new pseudo-terminal, waits for the alternate screen, and calls `end` to end the run. Returns the
/// output of the run.
fn on_a_terminal(end: impl FnOnce(&mut File, &TestProcess)) -> String {
    let (server, folder) = (NullServer::start(&[]), tempdir().unwrap());
    let file = folder.path().join("report.json");
    let (ours, path) = terminal();
    let theirs = || Stdio::from(File::options().read(true).write(true).open(&path).unwrap());
    let run = server.run(&LONG);
    // setsid(1) makes the run the foreground process of the terminal. The kernel sends SIGINT to it on Ctrl-C.
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(run.get_program()).args(run.get_args().filter(|flag| *flag != "--no-tui"));
    command.arg("--json").arg(&file).env("TERM", "xterm").stdin(theirs()).stdout(theirs()).stderr(theirs());
    let mut run = TestProcess::start(&mut command);
    drop(command);
    let mut screen = File::from(ours);
    let mut text = String::new();
    while !text.contains("\u{1b}[?1049h") || !text.contains("online") {
        text += &some(&mut screen).expect("the view is shown");
    }
    end(&mut screen, &run);
    while let Some(more) = some(&mut screen) {
        text += &more;
    }
    assert_eq!(run.blocking_ended().code(), Some(13), "{text}");
    assert_eq!(read(&file)["verdict"]["outcome"], "cut_short");
    text
}

/// Reads the next output from the terminal. `None` after the program has closed it.
fn some(screen: &mut File) -> Option<String> {
    let mut buffer = [0; 4096];
    let read = screen.read(&mut buffer).ok().filter(|read| *read > 0)?;
    Some(String::from_utf8_lossy(&buffer[..read]).into_owned())
}

/// Checks that the report is on the ordinary screen.
fn shows_the_report(text: &str) {
    let (_, after) = text.rsplit_once("\u{1b}[?1049l").expect("the alternate screen is left");
    assert!(after.contains("CUT SHORT"), "{after}");
}

#[test]
fn ctrl_c_on_a_terminal_ends_the_run_with_a_report() {
    shows_the_report(&on_a_terminal(|screen, _| screen.write_all(b"\x03").unwrap()));
}

#[test]
fn sigterm_on_a_terminal_leaves_the_alternate_screen() {
    let end = |_: &mut File, run: &TestProcess| run.signal(Signal::TERM);
    shows_the_report(&on_a_terminal(end));
}
