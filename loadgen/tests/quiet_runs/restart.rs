//! A relaying server is restarted during a run: messages that could not be sent meanwhile do not count as refused, and
//! the sending connection is opened again.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use muster_testkit::TestProcess;
use serde_json::Value;

use crate::{
    null_server::{LOADGEN, NullServer},
    report::{gate, read},
};

/// Returns the number of sent messages in a line of the progress output; 0 if the line has none.
fn sent(line: &str) -> u64 {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "sent");
    at.and_then(|at| words[at - 1].parse().ok()).unwrap_or(0)
}

/// A run during which the server is restarted: the report, the exit code, and how many messages were sent before.
fn restarted(more: &[&str]) -> (Value, Option<i32>, u64) {
    let (server, folder) = (NullServer::start(&[]), tempfile::tempdir().unwrap());
    let file = folder.path().join("report.json");
    let address = server.address.clone();
    let flags =
        "--target raw --terminals 10 --ramp 200ms --for 6s --broadcasts 20 --grace 500ms --backoff 50ms --no-tui";
    let mut command = Command::new(LOADGEN);
    command.args(["run", "--url", &format!("ws://{address}/"), "--json"]).arg(&file).args(flags.split(' ')).args(more);
    let mut run = TestProcess::start(command.stdout(Stdio::null()).stderr(Stdio::piped()));
    let mut lines = BufReader::new(run.child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let before = lines.by_ref().map(|line| sent(&line)).find(|sent| *sent >= 10).expect("messages are sent");
    drop(server);
    let server = NullServer::start_on(&address, &[]);
    lines.for_each(drop);
    let code = run.blocking_ended().code();
    drop(server);
    (read(&file), code, before)
}

#[test]
fn messages_that_are_due_while_the_sending_connection_is_down_are_not_refusals() {
    let (report, code, before) = restarted(&[]);
    let messages = &report["messages"];
    let count = |name: &str| messages[name].as_u64().unwrap();
    assert_eq!(count("refused"), 0, "{messages}");
    assert!(count("unsent") > 0 && count("accepted") > before + 20, "{before} were sent before; {messages}");
    assert_eq!(count("planned"), count("accepted") + count("indeterminate") + count("unsent"), "{messages}");
    assert_eq!(gate(&report, "messages that the generator could not send")["ok"], false);
    // Broken if a terminal missed a message before it had reconnected; otherwise invalid.
    assert!(matches!(code, Some(11 | 12)), "exit {code:?}");
}

#[test]
fn what_is_lost_with_a_session_is_no_fault_of_a_server_that_delivers_at_most_once() {
    let (report, code, _) = restarted(&["--allow-unsent", "--at-most-once"]);
    let gate = gate(&report, "messages that the generator could not send");
    assert_eq!((code, &gate["ok"]), (Some(0), &true.into()), "{}", report["verdict"]);
    assert!(report["messages"]["unsent"].as_u64().unwrap() > 0);
    assert_eq!(report["promise"]["delivery"], "at_most_once");
}
