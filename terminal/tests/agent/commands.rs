//! Commands that run a program, and the health of the box.

use std::fs;

use muster_testkit::{LoggedProcess, http, wait::until};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::connected_box::{ConnectedBox, agent};

const COMMANDS: &str = "
    commands_at_once = 2
    [commands.say]
    program = ['/bin/echo', 'said:']
    arguments = 1
    [commands.fail]
    program = ['/bin/sh', '-c', 'echo why; exit 3']
    [commands.wait]
    program = ['/bin/sleep', '600']
";

#[tokio::test]
async fn a_command_runs_the_program_that_is_configured_and_answers_with_its_output() {
    let started = ConnectedBox::start(COMMANDS).await;
    let target = started.run("say", json!(["$(id) ; rm -rf / &"])).await;
    assert_eq!(target["state"], "succeeded", "{target}");
    assert_eq!(target["payload"]["output"], "said: $(id) ; rm -rf / &\n");
    let target = started.run("fail", Value::Null).await;
    assert_eq!((&target["state"], &target["payload"]["exit"]), (&json!("failed"), &json!(3)), "{target}");
    assert_eq!(target["payload"]["output"], "why\n");
    started.node.stop().await;
}

#[tokio::test]
async fn what_is_not_allowed_is_rejected_and_says_why() {
    let started = ConnectedBox::start(COMMANDS).await;
    for (name, payload, says) in [
        ("reboot", Value::Null, "no command reboot"),
        ("say", json!(["one", "two"]), "takes 1"),
        ("say", json!(["--version"]), "begins with"),
        ("say", json!({ "program": "/bin/sh" }), "JSON list"),
    ] {
        let target = started.run(name, payload).await;
        let why = target["payload"].as_str().unwrap_or_default();
        assert!(target["state"] == "rejected" && why.contains(says), "{target}");
    }
    started.node.stop().await;
}

#[tokio::test]
async fn more_commands_than_may_run_at_once_are_rejected() {
    let started = ConnectedBox::start(COMMANDS).await;
    for _ in 0..2 {
        let body = r#"{"target":{"terminal":"box1"},"name":"wait","confirm":"result"}"#;
        assert_eq!(http::post(started.node.address, "/v1/commands", body).await.0, 202);
    }
    until("both run", async || started.agent.stderr().matches("runs").count() == 2).await;
    let target = started.run("say", json!(["x"])).await;
    assert!(
        target["state"] == "rejected" && target["payload"].as_str().unwrap().contains("commands_at_once"),
        "{target}"
    );
    started.node.stop().await;
}

#[tokio::test]
async fn a_box_says_how_it_is_and_a_check_that_fails_makes_it_failing() {
    let switch = tempfile::NamedTempFile::new().unwrap();
    let check = format!(
        "[health]\nevery = '100ms'\n[health.checks.switch]\nprogram = ['/usr/bin/test', '-e', '{}']",
        switch.path().display()
    );
    let started = ConnectedBox::start(&check).await;
    let terminal = async || http::get(started.node.address, "/v1/terminals/box1").await.1;
    until("the box was measured", async || terminal().await["metrics"]["memory"].as_f64() > Some(0.0)).await;
    assert_eq!(terminal().await["condition"], "ok");
    switch.close().unwrap();
    until("the box fails", async || terminal().await["condition"] == "failing").await;
    started.node.stop().await;
}

#[tokio::test]
async fn an_agent_that_is_asked_to_end_lets_a_program_end_and_sends_its_result() {
    let mut started = ConnectedBox::start("[commands.slow]\nprogram = ['/bin/sh', '-c', 'sleep 0.5; echo done']").await;
    let body = r#"{"target":{"terminal":"box1"},"name":"slow","confirm":"result"}"#;
    let (_, answer) = http::post(started.node.address, "/v1/commands", body).await;
    until("it runs", async || started.agent.stderr().contains("runs")).await;
    started.agent.process.signal(Signal::TERM);
    assert!(started.agent.process.blocking_ended().success());
    let path = format!("/v1/commands/{}/targets", answer["id"].as_str().unwrap());
    let target = async || http::get(started.node.address, &path).await.1["targets"][0].clone();
    until("the result came", async || target().await["state"] == "succeeded").await;
    assert_eq!(http::get(started.node.address, "/v1/terminals/box1").await.1["status"], "offline");
    started.node.stop().await;
}

#[tokio::test]
async fn a_command_that_was_taken_does_not_run_again_after_the_agent_was_killed() {
    let ran = tempfile::NamedTempFile::new().unwrap();
    let script = format!("echo ran >> {}; sleep 600", ran.path().display());
    let commands = format!("{COMMANDS}\n[commands.once]\nprogram = ['/bin/sh', '-c', '{script}']");
    let mut started = ConnectedBox::start(&commands).await;
    let body = r#"{"target":{"terminal":"box1"},"name":"once","confirm":"result"}"#;
    assert_eq!(http::post(started.node.address, "/v1/commands", body).await.0, 202);
    let runs = || fs::read_to_string(ran.path()).unwrap().lines().count();
    until("it runs", async || runs() == 1).await;
    started.agent.process.kill();
    started.agent = LoggedProcess::start(&mut agent(&started.folder.path().join("terminal.toml")));
    assert_eq!(started.run("say", json!(["back"])).await["state"], "succeeded");
    assert_eq!(runs(), 1);
    started.node.stop().await;
}

#[test]
fn a_file_can_be_checked_without_connecting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("terminal.toml");
    let state = folder.path().join("state");
    fs::write(&file, format!("id = 'box1'\nurls = ['ws://127.0.0.1:1/ws']\nstate = '{}'", state.display())).unwrap();
    assert!(agent(&file).arg("--check").status().unwrap().success());
    fs::write(&file, "urls = []").unwrap();
    let output = agent(&file).arg("--check").output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("urls"));
}

#[tokio::test]
async fn a_check_that_takes_long_holds_up_no_command() {
    let check = "[health]\nevery = '100ms'\n[health.checks.slow]\nprogram = ['/bin/sleep', '600']\nwithin = '60s'";
    let mut started = ConnectedBox::start(&format!("{COMMANDS}\n{check}")).await;
    assert_eq!(started.run("say", json!(["x"])).await["state"], "succeeded");
    started.agent.process.signal(Signal::TERM);
    assert!(started.agent.process.blocking_ended().success());
    started.node.stop().await;
}
