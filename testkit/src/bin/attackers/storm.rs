//! Storms: short requests, one right after the other.

use std::{future, time::Duration};

use tokio::{io::AsyncWriteExt, time};

use super::{answers::Answers, attacker::Attacker, frame::SeenFrame, tally::AttackEnd};

/// The payload of a large command, in bytes: a command has room for a little more.
const LARGE: usize = 200_000;
/// How long an answer may take, and how long a session of a churn waits for its welcome.
const PATIENCE: Duration = Duration::from_secs(10);
const WELCOME: Duration = Duration::from_millis(300);

/// Makes a handshake with a token that nobody signed.
pub async fn bad_token(attacker: &Attacker) -> Result<AttackEnd, AttackEnd> {
    let head = attacker.victim.handshake(&attacker.terminal(), "no.t.oken");
    request(attacker, head.as_bytes()).await
}

/// Posts a large command with this key.
pub async fn command(attacker: &Attacker, key: &str) -> Result<AttackEnd, AttackEnd> {
    let body = format!(
        r#"{{"target":{{"terminal":"nobody-{}"}},"name":"large","payload":"{}"}}"#,
        attacker.number,
        "x".repeat(LARGE)
    );
    let head = format!(
        "POST /v1/commands HTTP/1.1\r\nHost: attacked\r\nAuthorization: Bearer {key}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    request(attacker, [head, body].concat().as_bytes()).await
}

/// Sends a request, and returns the status of its answer. The server may answer before it has read everything.
async fn request(attacker: &Attacker, bytes: &[u8]) -> Result<AttackEnd, AttackEnd> {
    let (reader, mut writer) = attacker.victim.connect(attacker.number).await?.into_split();
    let mut answers = Answers::new(reader);
    let write = async {
        let _ = writer.write_all(bytes).await;
        future::pending().await
    };
    let status = tokio::select! {
        status = answers.status() => status,
        never = write => never,
        () = time::sleep(PATIENCE) => Err(AttackEnd::Left),
    };
    Ok(AttackEnd::Status(status?))
}

/// Begins a session, and leaves without a word.
pub async fn churn(attacker: &Attacker) -> Result<AttackEnd, AttackEnd> {
    let (mut answers, _writer) = attacker.victim.greet(attacker.number, &attacker.terminal()).await?;
    match time::timeout(WELCOME, answers.frame()).await {
        Ok(Err(end)) => Ok(end),
        Ok(Ok(SeenFrame::Close(code))) => Ok(AttackEnd::Close(code)),
        Ok(Ok(SeenFrame::Open(_))) | Err(_) => Ok(AttackEnd::Left),
    }
}
