//! The instrument against a server that makes one mistake: each is found, named, and decides the exit code; a server without a fault
//! is not accused of any.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

const LOADGEN: &str = env!("CARGO_BIN_EXE_muster-loadgen");

/// The server, for as long as the test lasts.
struct Server(Child, String);

impl Server {
    fn start(fault: &[&str]) -> Self {
        let mut child = Command::new(LOADGEN)
            .arg("null-server")
            .args(fault)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it can be started");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("ready on ").expect("it says where").to_owned();
        Self(child, address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The report and the exit code of a short run.
fn run(name: &str, fault: &[&str]) -> (Value, i32) {
    let server = Server::start(fault);
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.json"));
    let (url, api) = (format!("ws://{}/ws", server.1), format!("http://{}", server.1));
    let flags = "--terminals 40 --ramp 200ms --for 2s --broadcasts 20 --commands 10 --grace 500ms --seed 1 --no-tui";
    let status = Command::new(LOADGEN)
        .args(["run", "--url", &url, "--api", &api, "--json"])
        .arg(&file)
        .args(flags.split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let report = serde_json::from_str(&fs::read_to_string(&file).expect("a report was written")).unwrap();
    (report, status.code().unwrap())
}

/// One mistake of this kind, which breaks the run unless this machine was too busy to judge at all.
fn finds(fault: &str, kind: &str, named: bool) {
    let (report, code) = run(kind, &["--fault", fault]);
    assert_eq!(report["faults"][kind], 1, "{}", report["faults"]);
    let example = report["examples"].as_array().unwrap().iter().find(|example| {
        example["kind"].as_str().unwrap().replace('_', " ") == kind
            || kind == "delivered twice" && example["kind"] == "dup_app"
    });
    let example = example.unwrap_or_else(|| panic!("{kind} is not named: {}", report["examples"]));
    assert!(example["terminal"].as_str().unwrap().starts_with("load-"));
    assert_eq!(example["message"].is_u64(), named, "{example}");
    assert!(code == 11 || code == 12, "exit {code}");
}

#[test]
fn a_server_without_a_fault_is_accused_of_none() {
    let (report, code) = run("none", &[]);
    assert_eq!(report["faults"].as_object().unwrap().len(), 0, "{}", report["faults"]);
    let steady = &report["ledger"]["steady"];
    assert_eq!(steady["expected"], 40 * 40 + 20);
    assert_eq!(steady["expected"], steady["on_time"]);
    assert!(code == 0 || code == 12, "exit {code}");
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
fn an_slo_that_does_not_exist_is_no_run() {
    let out = Command::new(LOADGEN)
        .args(["run", "--url", "ws://h/ws", "--api", "http://h", "--slo", "live.p98<1ms"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("there is no \"live.p98\""));
}
