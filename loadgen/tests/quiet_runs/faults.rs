//! Runs against a null server that makes one mistake: the mistake is found, named, and decides the exit code. A server
//! without a fault is reported as faultless.

use std::process::Command;

use serde_json::Value;

use crate::{
    null_server::{LOADGEN, NullServer},
    report::{gate, report_of},
};

/// Returns the report and the exit code of a short run against a server with this fault.
fn run(fault: &[&str]) -> (Value, i32) {
    let server = NullServer::start(fault);
    report_of(server.run(&[]))
}

/// Checks that a mistake of this kind is found.
fn finds(fault: &str, flags: &[&str], kind: &str, named: bool) {
    let server = NullServer::start(&["--fault", fault]);
    let (report, code) = report_of(server.run(flags));
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
    finds("drop:777", &[], "silently lost", true);
}

#[test]
fn a_message_that_is_repeated_is_found() {
    finds("repeat:777", &[], "delivered twice", true);
}

#[test]
fn two_that_are_swapped_are_found() {
    // Two messages have an order only if the first was accepted before the second was sent: each waits for the answer.
    finds("swap:777", &["--closed", "1"], "reordered", true);
}

#[test]
fn a_letter_that_is_changed_is_found() {
    finds("corrupt:777", &[], "corrupt", false);
}

#[test]
fn a_command_to_the_wrong_terminal_is_found() {
    finds("misdeliver:777", &[], "misdelivered", true);
}

/// What a run finds of a mistake that a server makes again and again.
struct Lie {
    fault: &'static str,
    /// More flags of the run. Those of a raw target post their messages, or send them over a WebSocket.
    flags: &'static str,
    /// Where the report has the number, and the number.
    place: &'static str,
    number: u64,
    code: i32,
}

const LIES: [Lie; 9] = [
    Lie { fault: "dropevery:100", flags: "", place: "/faults/silently lost", number: 16, code: 11 },
    Lie { fault: "repeatevery:100", flags: "", place: "/faults/delivered twice", number: 16, code: 11 },
    Lie { fault: "exclude:7", flags: "--commands 0", place: "/ledger/steady/silently_lost", number: 40, code: 11 },
    // What comes late is not wrong: an objective may ask for `late==0`.
    Lie {
        fault: "delay:10",
        flags: "--commands 0 --broadcasts once:20 --for 3s --grace 1s",
        place: "/ledger/steady/late",
        number: 80,
        code: 0,
    },
    Lie { fault: "close:20", flags: "--backoff 100ms", place: "/connections/lost", number: 40, code: 11 },
    // Nobody comes back before the end.
    Lie {
        fault: "close:30",
        flags: "--commands 0 --backoff 1h",
        place: "/ledger/interrupted/still_away",
        number: 10 * 40,
        code: 12,
    },
    Lie { fault: "binary:100", flags: "raw post", place: "/ledger/steady/other_kind", number: 16, code: 11 },
    Lie { fault: "greet:10", flags: "raw post", place: "/frames/foreign", number: 4, code: 0 },
    Lie { fault: "stopreading:10", flags: "raw", place: "/faults/silently lost", number: 30 * 40, code: 11 },
];

#[test]
fn the_ledger_names_the_number_of_each_mistake() {
    for Lie { fault, flags, place, number, code } in LIES {
        let server = NullServer::start(&["--fault", fault]);
        let command = match flags {
            "raw post" => server.raw(&["--post", &format!("http://{}/", server.address)]),
            "raw" => server.raw(&[]),
            flags => server.run(&flags.split_whitespace().collect::<Vec<_>>()),
        };
        let (report, exit) = report_of(command);
        let found = report.pointer(place).and_then(Value::as_u64);
        assert_eq!((found, exit), (Some(number), code), "{fault}: {}{}", report["verdict"], report["ledger"]);
        assert_eq!(report["verdict"]["gates"][0]["ok"], true, "{fault}: the equations close");
    }
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
fn a_run_without_messages_proves_nothing() {
    let server = NullServer::start(&[]);
    let (report, code) = report_of(server.run(&["--broadcasts", "0", "--commands", "0"]));
    assert_eq!((code, &gate(&report, "deliveries owed")["ok"]), (12, &false.into()));
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
