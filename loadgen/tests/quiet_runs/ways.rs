//! What terminals say of themselves, and the ways by which messages reach a server.

use std::process::Command;

use crate::{
    null_server::{LOADGEN, NullServer},
    report::{gate, report_of},
};

#[test]
fn first_messages_and_a_posted_body_are_templates_and_what_may_be_secret_is_not_reported() {
    let server = NullServer::start(&[]);
    let post = format!("POST http://{}/ {{message}}", server.address);
    let flags = ["--send-by", &post, "--first-message", "hi-{n}", "--header", "X-Secret=abc{n}", "--token=abc"];
    let (report, code) = report_of(server.raw(&flags));
    assert_eq!(code, 0, "{}", report["verdict"]);
    assert_eq!(report["ledger"]["steady"]["on_time"], 40 * 40);
    // The server relays the first message of each terminal to all that are connected.
    assert!(report["frames"]["foreign"].as_u64().unwrap() > 40, "{}", report["frames"]);
    assert_eq!(report["promise"]["adapter"], "raw");
    let command = report["command"].as_str().unwrap();
    assert!(command.contains("--header ***") && command.contains("--token=***"), "{command}");
    assert!(!command.contains("abc") && !command.contains("hi-"), "{command}");
}

#[test]
fn binary_messages_are_owed_as_binary_frames() {
    let server = NullServer::start(&["--fault", "binary:1"]);
    let post = format!("http://{}/", server.address);
    let (report, code) = report_of(server.raw(&["--post", &post, "--binary"]));
    assert_eq!((code, &report["ledger"]["steady"]["on_time"]), (0, &1600.into()), "{}", report["verdict"]);
    let texts = NullServer::start(&[]);
    let post = format!("http://{}/", texts.address);
    let (report, code) = report_of(texts.raw(&["--post", &post, "--binary"]));
    assert_eq!((code, &report["ledger"]["steady"]["other_kind"]), (11, &1600.into()), "{}", report["verdict"]);
}

#[test]
fn a_template_that_can_not_be_filled_in_keeps_a_run_from_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    std::fs::write(&file, "a\u{1}b\n").unwrap();
    let credentials = file.to_str().unwrap();
    for flags in [
        vec!["--header", "X={number}"],
        vec!["--header", "X={credential}"],
        vec!["--header", "X={credential}", "--credentials", credentials],
        vec!["--query", "a={credential}", "--credentials", "/absent"],
    ] {
        let mut command = Command::new(LOADGEN);
        command.args(["run", "--target", "raw", "--url", "ws://127.0.0.1:9/", "--terminals", "2", "--for", "1s"]);
        let output = command.args(&flags).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
    }
}

/// Demands that all messages come that are owed. On a busy machine some come late.
fn all_come(server: &NullServer, flags: &[&str]) {
    let (report, code) = report_of(server.raw(&[&["--grace", "5s"], flags].concat()));
    let steady = &report["ledger"]["steady"];
    assert!(code == 0 && steady["expected"].as_u64() > Some(0), "{flags:?}: {steady} {}", report["verdict"]);
    assert_eq!(report["faults"].as_object().unwrap().len(), 0, "{flags:?}: {}", report["faults"]);
}

#[test]
fn a_message_lies_where_the_pointer_says_whichever_way_it_was_sent() {
    let server = NullServer::start(&[]);
    let body = r#"{"to":"all","data":{"text":"{message}","n":{n}}}"#;
    let post = format!("POST http://{}/ {body}", server.address);
    all_come(&server, &["--payload-at", "/data/text", "--send-by", &post]);
    all_come(&server, &["--payload-at", "/data/text", "--send-by", &format!("socket {body}")]);
    // Elsewhere nothing is found: all is lost, and no frame is of a generator.
    let (report, _) = report_of(server.raw(&["--payload-at", "/text", "--send-by", &post]));
    let steady = &report["ledger"]["steady"];
    assert_eq!(steady["silently_lost"], steady["expected"], "{steady}");
    assert_eq!(report["frames"]["foreign"], report["frames"]["read"]);
}

#[test]
fn a_terminal_that_the_server_never_made_ready_is_owed_nothing_and_told() {
    let greets_all = NullServer::start(&["--fault", "greet:1"]);
    let post = format!("http://{}/", greets_all.address);
    all_come(&greets_all, &["--ready-when", "wel*me", "--post", &post]);
    let greets_half = NullServer::start(&["--fault", "greet:2"]);
    let post = format!("http://{}/", greets_half.address);
    let (report, code) = report_of(greets_half.raw(&["--ready-when", "welcome", "--post", &post]));
    let gate = gate(&report, "terminals never answered");
    assert_eq!((code, &gate["found"]), (12, &"20".into()), "{gate}");
    assert_eq!(report["connections"]["made"], 20);
}
