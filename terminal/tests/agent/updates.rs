//! The update of the agent by itself. A test stands for the service manager: it starts the agent again when that has ended.

use std::{fs, os::unix::process::ExitStatusExt, path::PathBuf};

use muster_testkit::wait::until;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    connected_box::{ConnectedBox, is_final},
    signing::SigningKey,
    web_server::{WebServer, breaking_server, sha256},
};

/// Where new programs come from, and what they write.
struct Release {
    server: WebServer,
    key: SigningKey,
    folder: TempDir,
}

impl Release {
    async fn new() -> Self {
        Self { server: WebServer::start().await, key: SigningKey::new(1), folder: tempfile::tempdir().unwrap() }
    }

    /// Starts an agent that takes these updates.
    async fn start_box(&self, settings: &str) -> ConnectedBox {
        let key = self.key.public();
        ConnectedBox::start(&format!("signers = ['{key}']\n[update]\nhttp = true\n{settings}")).await
    }

    /// A file that programs look at or write to.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new program: `check` is what it does when it is to check the configuration, and `start` what it does when it is started.
    fn program(&self, check: &str, start: &str) -> Vec<u8> {
        let (agent, starts) = (env!("CARGO_BIN_EXE_muster-terminal"), self.file("starts"));
        let start = start.replace("AGENT", &format!("exec {agent} \"$@\""));
        let starts = starts.display();
        format!("#!/bin/sh\ncase \"$*\" in *--check*) {check}; exit;; esac\necho >>{starts}\n{start}\n").into_bytes()
    }

    /// How often a new program was started.
    fn starts(&self) -> usize {
        fs::read_to_string(self.file("starts")).unwrap_or_default().lines().count()
    }

    /// The payload of the command.
    fn payload(&self, program: &[u8], version: &str) -> Value {
        let signature = self.key.sign(program, &format!("name:muster-terminal version:{version}"));
        let hash = sha256(program);
        let url = self.server.serve(&hash, program);
        json!({ "url": url, "sha256": hash, "size": program.len(), "signature": signature })
    }
}

const GOOD: &str = "AGENT";

/// Starts the agent again whenever it has ended, until the command is final. Returns its target.
async fn until_final(started: &mut ConnectedBox, id: &str) -> Value {
    until("the update has ended", async || {
        if started.agent.process.child.try_wait().unwrap().is_some() {
            started.restart();
        }
        is_final(&started.target(id).await)
    })
    .await;
    started.target(id).await
}

#[tokio::test]
async fn a_signed_update_runs_in_the_place_of_the_old_program_and_after_a_restart() {
    let release = Release::new().await;
    let mut started = release.start_box("steady = '100ms'").await;
    let target = started.run("update", release.payload(&release.program(":", GOOD), "2.0")).await;
    assert_eq!((&target["state"], &target["payload"]["version"]), (&json!("succeeded"), &json!("2.0")), "{target}");
    assert_eq!(release.starts(), 1);
    // The process is the same, so a service manager goes on watching it.
    assert_eq!(started.agent.process.child.try_wait().unwrap(), None);
    started.restart();
    until("the new program is started again", async || release.starts() == 2).await;
    started.until_online().await;
    let target = started.run("update", release.payload(&release.program(":", GOOD), "1.9")).await;
    assert!(target["state"] == "rejected" && target["payload"].to_string().contains("older"), "{target}");
    started.node.stop().await;
}

#[tokio::test]
async fn an_update_that_is_not_signed_or_does_not_fit_changes_nothing() {
    let release = Release::new().await;
    let started = release.start_box("").await;
    let program = release.program(":", GOOD);
    let good = release.payload(&program, "2.0");
    let with = |key: &str, value: Value| {
        let mut payload = good.clone();
        payload[key] = value;
        payload
    };
    let of_another_program = release.key.sign(&program, "name:show version:2.0");
    let of_another_key = SigningKey::new(2).sign(&program, "name:muster-terminal version:2.0");
    let of_other_content = release.key.sign(b"other", "name:muster-terminal version:2.0");
    for (payload, state, says) in [
        (with("signature", json!("none")), "rejected", "minisign"),
        (with("signature", json!(of_another_program)), "rejected", "show"),
        (with("signature", json!(of_another_key)), "rejected", "none of this box's keys"),
        (with("size", json!(1u64 << 40)), "rejected", "at most"),
        (release.payload(&program, "0.0.1"), "rejected", "older"),
        (with("signature", json!(of_other_content)), "failed", "not that of this file"),
        (release.payload(b"\x7fELF of another machine", "2.0"), "failed", "--check"),
        (release.payload(&release.program("exit 1", GOOD), "2.0"), "failed", "--check"),
    ] {
        let target = started.run("update", payload).await;
        assert!(target["state"] == state && target["payload"].to_string().contains(says), "{says}: {target}");
    }
    assert_eq!(release.starts(), 0);
    started.node.stop().await;
}

#[tokio::test]
async fn without_its_section_no_update_is_taken() {
    let (release, started) = (Release::new().await, ConnectedBox::start("").await);
    let target = started.run("update", release.payload(&release.program(":", GOOD), "2.0")).await;
    assert!(target["state"] == "rejected" && target["payload"].to_string().contains("no command update"), "{target}");
    started.node.stop().await;
}

#[tokio::test]
async fn an_update_that_ends_at_once_is_put_back_after_three_starts() {
    let release = Release::new().await;
    let mut started = release.start_box("steady = '100ms'").await;
    let id = started.send("update", release.payload(&release.program(":", "exit 1"), "2.0")).await;
    let target = until_final(&mut started, &id).await;
    let error = target["payload"]["error"].as_str().unwrap_or_default();
    assert!(target["state"] == "failed" && error.contains("2.0 was put back") && error.contains("3 times"), "{target}");
    assert_eq!(release.starts(), 3);
    // The one before runs, and takes the next update.
    let target = started.run("update", release.payload(&release.program(":", GOOD), "1.9")).await;
    assert_eq!(target["state"], "succeeded", "{target}");
    started.node.stop().await;
}

#[tokio::test]
async fn an_update_that_hangs_is_ended_by_the_kernel_and_put_back() {
    let release = Release::new().await;
    let mut started = release.start_box("trial = '1s'\nsteady = '100ms'").await;
    let id = started.send("update", release.payload(&release.program(":", "exec sleep 600"), "2.0")).await;
    let status = started.agent.process.ended().await;
    assert_eq!(status.signal(), Some(Signal::ALARM.as_raw()));
    started.restart();
    let target = started.ended(&id).await;
    let error = target["payload"]["error"].as_str().unwrap_or_default();
    assert!(target["state"] == "failed" && error.contains("within 1 s"), "{target}");
    assert_eq!(release.starts(), 1);
    started.node.stop().await;
}

#[tokio::test]
async fn an_update_goes_on_after_a_power_cut_at_each_step() {
    let release = Release::new().await;
    let mut started = release.start_box("steady = '3s'").await;
    let (checks, check, start) = (release.file("checks"), release.file("check"), release.file("start"));
    let wait_for = |file: &PathBuf| format!("until [ -e {} ]; do sleep 0.05; done", file.display());
    let check_script = format!("echo >>{}; {}", checks.display(), wait_for(&check));
    let program = release.program(&check_script, &format!("{}; AGENT", wait_for(&start)));
    let mut payload = release.payload(&program, "2.0");
    let server = breaking_server(program, true).await;
    payload["url"] = format!("http://{server}/program").into();
    let id = started.send("update", payload).await;

    // While the program is fetched.
    let programs = started.state().join("programs");
    let part = || {
        fs::read_dir(&programs).is_ok_and(|mut files| {
            files.any(|file| {
                let file = file.unwrap();
                file.path().extension().is_some_and(|end| end == "part") && file.metadata().unwrap().len() > 0
            })
        })
    };
    until("a part has arrived", async || part()).await;
    started.restart();
    // While the new program checks the configuration.
    let checked = || fs::read_to_string(&checks).unwrap_or_default().lines().count();
    until("the new program is checked", async || checked() == 1).await;
    started.restart();
    until("the new program is checked again", async || checked() == 2).await;
    fs::write(&check, "").unwrap();
    // While the new program starts.
    until("the new program is started", async || release.starts() == 1).await;
    started.restart();
    until("the new program is started again", async || release.starts() == 2).await;
    fs::write(&start, "").unwrap();
    // Before the new program has proved itself.
    until("the new program is online", async || started.agent.stderr().contains("online")).await;
    started.restart();
    let target = started.ended(&id).await;
    assert_eq!((&target["state"], &target["payload"]["starts"]), (&json!("succeeded"), &json!(3)), "{target}");
    assert_eq!(release.starts(), 3);
    started.node.stop().await;
}

#[tokio::test]
async fn a_result_that_a_power_cut_has_lost_is_told_after_the_next_start() {
    let release = Release::new().await;
    let mut started = release.start_box("[commands.wait]\nprogram = ['/bin/sleep', '60']").await;
    // A command that has no result yet stands for the update.
    let id = started.send("wait", Value::Null).await;
    until("it runs", async || started.agent.stderr().contains("runs")).await;
    started.agent.process.kill();
    let ended = json!({ "command": id, "succeeded": true, "reply": { "version": "2.0" } });
    fs::write(started.state().join("programs/programs.json"), json!({ "ended": ended }).to_string()).unwrap();
    started.restart();
    let target = started.ended(&id).await;
    assert_eq!((&target["state"], &target["payload"]["version"]), (&json!("succeeded"), &json!("2.0")), "{target}");
    started.node.stop().await;
}
