//! Runs against a null server that makes one mistake: the mistake is found, named, and decides the exit code. A server
//! without a fault is reported as faultless.

use std::process::Command;

use serde_json::Value;

use crate::{
    null_server::{LOADGEN, NullServer},
    report::report_of,
};

/// Returns the report and the exit code of a short run against a server with this fault.
fn run(fault: &[&str]) -> (Value, i32) {
    let server = NullServer::start(fault);
    report_of(server.run(&[]))
}

/// Checks that a mistake of this kind is found.
fn finds(fault: &str, kind: &str, named: bool) {
    let (report, code) = run(&["--fault", fault]);
    assert_eq!(report["faults"][kind], 1, "{}", report["faults"]);
    let example = report["examples"].as_array().unwrap().iter().find(|example| {
        example["kind"].as_str().unwrap().replace('_', " ") == kind
            || kind == "delivered twice" && example["kind"] == "dup_app"
    });
    let example = example.unwrap_or_else(|| panic!("{kind} is not named: {}", report["examples"]));
    assert!(example["terminal"].as_str().unwrap().starts_with("load-"));
    assert_eq!(example["message"].is_u64(), named, "{example}");
    assert_eq!(code, 11);
}

#[test]
fn a_server_without_a_fault_is_accused_of_none() {
    let (report, code) = run(&[]);
    assert_eq!(report["faults"].as_object().unwrap().len(), 0, "{}", report["faults"]);
    let steady = &report["ledger"]["steady"];
    assert_eq!(steady["expected"], 40 * 40 + 20);
    assert_eq!(steady["expected"], steady["on_time"]);
    assert_eq!(code, 0);
}

#[test]
fn a_message_that_is_dropped_is_found() {
    finds("drop:777", "silently lost", true);
}

#[test]
fn a_message_that_is_repeated_is_found() {
    finds("repeat:777", "delivered twice", true);
}

#[test]
fn two_that_are_swapped_are_found() {
    finds("swap:777", "reordered", true);
}

#[test]
fn a_letter_that_is_changed_is_found() {
    finds("corrupt:777", "corrupt", false);
}

#[test]
fn a_command_to_the_wrong_terminal_is_found() {
    finds("misdeliver:777", "misdelivered", true);
}

#[test]
fn a_message_that_is_delivered_but_never_answered_is_no_fault() {
    let (report, code) = run(&["--fault", "noanswer:4"]);
    let messages = &report["messages"];
    assert_eq!(report["faults"].as_object().unwrap().len(), 0, "{}", report["faults"]);
    assert_eq!(messages["sent"], messages["planned"], "{messages}");
    assert!(messages["indeterminate"].as_u64().unwrap() >= 15, "{messages}");
    assert!(report["frames"]["indeterminate"].as_u64().unwrap() > 0, "{}", report["frames"]);
    assert_eq!(code, 0);
}

#[test]
fn an_slo_that_does_not_exist_is_no_run() {
    let out = Command::new(LOADGEN)
        .args(["run", "--url", "ws://h/ws", "--api", "http://h", "--slo", "live.p98<1ms"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("there is no \"live.p98\""));
}
