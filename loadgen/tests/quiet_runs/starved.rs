//! A generator that does not get the CPU: what was delivered is known, and the times are not to be trusted. It can't know
//! that the server lost a message.

use std::{thread, time::Duration};

use muster_testkit::{LoggedProcess, wait::blocking_until};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::tempdir;

use crate::{null_server::NullServer, report::read};

/// A run that is stopped for more than a second. Returns the exit code, the report, and what the run printed.
fn stopped(fault: &[&str], slo: &str) -> (i32, Value, String) {
    let (server, folder) = (NullServer::start(fault), tempdir().unwrap());
    let file = folder.path().join("report.json");
    let mut command = server.run(&["--slo", slo, "--json"]);
    let mut run = LoggedProcess::start(command.arg(&file));
    blocking_until("messages are received", || run.stderr().contains("max"));
    run.process.signal(Signal::STOP);
    // The messages that are due meanwhile are sent late.
    thread::sleep(Duration::from_millis(1200));
    run.process.signal(Signal::CONT);
    let code = run.process.blocking_ended().code().unwrap();
    let printed = run.stdout();
    (code, read(&file), printed)
}

#[test]
fn times_of_which_nothing_was_asked_change_no_exit_code_and_the_report_says_so() {
    let (code, report, printed) = stopped(&[], "lost==0");
    assert_eq!((code, &report["verdict"]["outcome"]), (0, &"pass".into()), "{printed}");
    let line = printed.lines().find(|line| line.starts_with("NOT TO BE TRUSTED: live, ")).expect("the line");
    assert!(line.contains("schedule lag p99") && line.contains("chrt"), "{line}");
}

#[test]
fn an_slo_on_times_that_are_not_to_be_trusted_is_not_judged() {
    let (code, report, printed) = stopped(&[], "live.p99<1h");
    assert_eq!((code, &report["verdict"]["outcome"]), (16, &"times_untrusted".into()), "{printed}");
}

#[test]
fn a_starved_generator_accuses_nobody_of_a_loss() {
    let (code, report, printed) = stopped(&["--fault", "drop:777"], "");
    assert_eq!((code, &report["verdict"]["outcome"]), (12, &"invalid".into()), "{printed}");
    assert_eq!(report["faults"]["silently lost"], 1);
}
