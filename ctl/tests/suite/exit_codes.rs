//! Scripts go by the exit codes of `muster`: each one is reached here.

use std::process::Command;

use muster_protocol::{Payload, api::Protocol};
use muster_testkit::{TestNode, free_port, wait::until};
use rustix::process::{Pid, Signal, kill_process};

use crate::call::{ended, muster, run};

#[tokio::test]
async fn each_exit_code_is_reached() {
    let node = TestNode::start(&["--insecure"]).await;
    let terminal = node.terminal("t1", Protocol::V1, &[("site", "bj")]).await;
    node.was_here("t2", Protocol::V1).await;
    for (line, code, says) in [
        ("send show --to t1 --wait", 0, "1 terminal: 1 acked"),
        ("send show --to t1 --confirm none --wait", 0, "done"),
        ("send show --to t1 --dry-run", 0, "1 terminal (t1), 1 online"),
        ("ls -l site=bj", 0, "t1"),
        ("send show --match site=bj --wait", 0, "1 terminal: 1 acked"),
        ("send show --match site!=bj --dry-run", 4, "1 terminal (site!=bj), 0 online"),
        ("send show --match site=sh --wait", 4, "no terminal is selected"),
        ("send show --match site", 1, "match: at character 5: expected"),
        ("top", 0, "2 terminals: 1 online, 0 stale, 1 offline"),
        ("top --json", 0, r#""commands":{"#),
        ("top --every 1ms", 1, "500ms is the least"),
        ("send show", 1, "--to <ID>"),
        ("send show {bad --to t1", 1, "--text"),
        ("send show --to nobody", 1, "no such terminal: nobody"),
        ("watch 0198c0de-0000-7000-8000-000000000001", 1, "404"),
        ("send show --to t1 --confirm result --expires-in 1s --wait=30s", 3, "1 terminal: 1"),
        ("send show --all --wait=1s", 3, "not done yet"),
        ("send show --to t2 --wait=1s", 4, "1 queued"),
        ("send show -l site=sh --wait", 4, "no terminal is selected"),
        ("send show --to t2 --offline skip", 4, "offline"),
    ] {
        let (ended, said) = run(&node, line).await;
        assert_eq!(ended, code, "{line}: {said}");
        assert!(said.contains(says), "{line}: {said}");
    }
    drop(terminal);
    node.stop().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let (code, said) = ended(command.args(["ls", "--url", &nobody]).env_clear().output().unwrap());
    assert!(code == 1 && said.contains("Is it the right --url"), "{code}: {said}");
}

#[tokio::test]
async fn a_name_of_nothing_is_answered_with_the_command_that_lists_what_there_is() {
    let node = TestNode::start(&["--insecure"]).await;
    for (line, list) in [
        ("drain nobody", "nodes"),
        ("notices test nobody", "notices ls"),
        ("selector rm nobody", "selector ls"),
        ("enrol rm nobody", "enrol ls"),
    ] {
        let (code, said) = run(&node, line).await;
        assert!(code == 1 && said.contains(&format!("; muster {list} lists them")), "{line}: {code}: {said}");
        let (code, said) = run(&node, list).await;
        assert_eq!(code, 0, "{list}: {said}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_failure_at_one_terminal_is_named_and_harms_no_screen() {
    let node = TestNode::start(&["--insecure"]).await;
    let mut terminal = node.terminal("t1", Protocol::V1, &[]).await;
    let mut command = muster(&node, "send fail --to t1 --confirm result --wait=30s");
    let sent = tokio::task::spawn_blocking(move || command.output());
    let id = terminal.command().await.id;
    terminal.terminal.result(id, false, Payload::from_text("no \u{202e}\u{1b}[31mpaper")).await.unwrap();
    let (code, said) = ended(sent.await.unwrap().unwrap());
    assert!(code == 2 && said.contains("failed t1") && said.contains("paper"), "{code}: {said}");
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_rollout_ends_with_the_codes_of_a_command() {
    let node = TestNode::start(&["--insecure"]).await;
    let terminal = node.terminal("t1", Protocol::V1, &[("site", "bj")]).await;
    node.was_here("t2", Protocol::V1).await;
    for (line, code, says) in [
        ("rollout create show --to t1 --wave rest --wait", 0, "done"),
        ("rollout create show -l site=bj --wave 1 --wave rest@5 --wait", 0, "1 acked"),
        ("rollout create show --all --wave rest --window never", 1, "FROM-TO ZONE"),
        ("rollout create show --all --wave 0", 1, "count of wave 1"),
        ("rollout create show --to t1 --wave rest --confirm result --within 1s --max-silent 1 --wait", 3, "done"),
        ("rollout create show --to t1 --wave rest --confirm result --within 1s --wait", 2, "silent, more than 10 %"),
        ("rollout create show -l site=sh --wave rest --wait", 4, "no terminal is selected"),
        ("rollout create show --to t2 --wave rest --wait=6s", 4, "1 queued"),
        ("rollout ls", 0, "running"),
    ] {
        let (ended, said) = run(&node, line).await;
        assert_eq!(ended, code, "{line}: {said}");
        assert!(said.contains(says), "{line}: {said}");
    }
    let (_, listed) = run(&node, "rollout ls").await;
    let id = listed.lines().nth(1).unwrap().split(' ').next().unwrap();
    for (verb, says) in [("pause", "paused"), ("resume", "running"), ("stop", "stopped"), ("show", "stopped by")] {
        let (code, said) = run(&node, &format!("rollout {verb} {id}")).await;
        assert!(code == 0 && said.contains(says), "{verb}: {code}: {said}");
    }
    let (code, said) = run(&node, &format!("rollout resume {id}")).await;
    assert!(code == 1 && said.contains("the rollout is stopped"), "{code}: {said}");
    drop(terminal);
    node.stop().await;
}

#[tokio::test]
async fn an_interrupted_call_names_the_command_that_goes_on() {
    let node = TestNode::start(&["--insecure"]).await;
    node.was_here("t1", Protocol::V1).await;
    let child = muster(&node, "send show --to t1 --wait").spawn().unwrap();
    let pid = Pid::from_child(&child);
    let waits = "the command waits for the terminal";
    until(waits, async || run(&node, "commands --json").await.1.contains(r#""state":"open""#)).await;
    let output = tokio::task::spawn_blocking(move || {
        kill_process(pid, Signal::INT).unwrap();
        child.wait_with_output()
    });
    let (code, said) = ended(output.await.unwrap().unwrap());
    assert!(code == 130 && said.contains("the command goes on"), "{code}: {said}");
    let (_, listed) = run(&node, "commands").await;
    let id = listed.lines().nth(1).unwrap().split(' ').next().unwrap();
    assert!(said.contains(id) && listed.contains("1 queued"), "{said}\n{listed}");
    node.stop().await;
}
