//! Runs by TLS, and what is said before a run whose settings of TLS are wrong.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
};

use muster_testkit::{Certificates, TestProcess, TlsFront, wait::until};
use serde_json::Value;

use crate::{
    null_server::{LOADGEN, NullServer, short_run},
    report::report_of,
};

/// A null server behind a server of TLS.
struct Encrypted {
    server: NullServer,
    front: TlsFront,
    made: Certificates,
}

impl Encrypted {
    async fn start() -> Self {
        let (server, made) = (NullServer::start(&[]), Certificates::make());
        let front = TlsFront::start(&made, "server", "127.0.0.1", server.address.parse().unwrap()).await;
        Self { server, front, made }
    }

    /// A run by TLS that trusts the CA in this file.
    fn run(&self, ca: &str, flags: &[&str]) -> Command {
        let (url, api) = (format!("wss://{}/ws", self.front.address), format!("https://{}", self.front.address));
        let mut command = short_run(&url, &api);
        command.arg("--ca").arg(self.made.file(ca)).args(flags);
        command
    }
}

/// Runs to the end, beside the server of TLS, and returns the report and the exit code.
async fn report(command: Command) -> (Value, i32) {
    tokio::task::spawn_blocking(|| report_of(command)).await.unwrap()
}

/// The error of a run that can't begin.
async fn refused(mut command: Command) -> String {
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(ended.status.code(), Some(2));
    String::from_utf8(ended.stderr).unwrap()
}

fn handshakes(report: &Value, name: &str) -> u64 {
    report["latencies"][name]["count"].as_u64().unwrap_or(0)
}

const CHURN: [&str; 4] = ["--churn", "every:500ms", "--away", "200ms"];

#[tokio::test]
async fn a_terminal_that_comes_back_shows_its_own_ticket_and_nothing_is_lost() {
    let (report, _) = report(Encrypted::start().await.run("ca.pem", &CHURN)).await;
    assert_eq!(report["faults"], serde_json::json!({}), "{report}");
    assert_eq!(handshakes(&report, "tls_full"), 40, "one for each terminal");
    let sessions = report["connections"]["sessions"].as_u64().unwrap();
    assert!(sessions > 40 && handshakes(&report, "tls_resumed") >= sessions - 40, "{sessions} sessions");
}

#[tokio::test]
async fn without_tickets_every_handshake_is_full() {
    let flags = [&CHURN[..], &["--tls-tickets", "off"]].concat();
    let (report, _) = report(Encrypted::start().await.run("ca.pem", &flags)).await;
    assert!(handshakes(&report, "tls_full") > 40);
    assert_eq!(handshakes(&report, "tls_resumed"), 0);
}

#[tokio::test]
async fn a_raw_server_is_reached_by_tls_too() {
    let encrypted = Encrypted::start().await;
    let mut command = Command::new(LOADGEN);
    let (url, ca) = (format!("wss://{}/", encrypted.front.address), encrypted.made.file("ca.pem"));
    command.args(["run", "--target", "raw", "--url", &url, "--ca"]).arg(ca);
    command.args("--terminals 10 --ramp 100ms --for 1s --broadcasts 20 --grace 500ms --no-tui".split(' '));
    let (report, _) = report(command).await;
    assert_eq!(report["faults"], serde_json::json!({}), "{report}");
    assert!(report["frames"]["owed"].as_u64().unwrap() > 100, "{report}");
    assert_eq!(handshakes(&report, "tls_full"), 10, "{report}");
}

#[tokio::test]
async fn terminals_of_hold_come_by_tls() {
    let encrypted = Encrypted::start().await;
    let (url, ca) = (format!("wss://{}/ws", encrypted.front.address), encrypted.made.file("ca.pem"));
    let mut command = Command::new(LOADGEN);
    command.args(["hold", "--terminals", "2", "--url", &url, "--ca"]).arg(ca).stdout(Stdio::null());
    let _holding = TestProcess::start(&mut command);
    until("both have come", async || encrypted.front.names().len() == 2).await;
}

#[tokio::test]
async fn wrong_settings_of_tls_are_told_before_the_run() {
    let encrypted = Encrypted::start().await;
    let told = refused(encrypted.run("other.pem", &[])).await;
    assert!(told.contains("--url wss://") && told.contains("no CA that is trusted here has signed it"), "{told}");
    assert!(told.contains("are in --ca ") && told.contains("other.pem"), "{told}");
    let told = refused(encrypted.run("absent", &[])).await;
    assert!(told.contains("--ca ") && told.contains("absent: No such file"), "{told}");
}

#[tokio::test]
async fn tls_on_one_side_alone_is_told_before_the_run() {
    let encrypted = Encrypted::start().await;
    let (front, null): (SocketAddr, &str) = (encrypted.front.address, &encrypted.server.address);
    for (url, api, told) in [
        (format!("ws://{front}/ws"), format!("https://{front}"), "write wss:// instead of ws://"),
        (format!("wss://{front}/ws"), format!("http://{front}"), "write https:// instead of http://"),
        (format!("ws://{null}/ws"), format!("https://{null}"), "does not speak TLS"),
    ] {
        let mut command = short_run(&url, &api);
        command.arg("--ca").arg(encrypted.made.file("ca.pem"));
        let error = refused(command).await;
        assert!(error.contains(told), "{url} {api}: {error}");
    }
}
