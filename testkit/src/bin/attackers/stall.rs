//! Stalls: connections that are held for as long as the server lets them, and cost the attacker next to nothing.

use std::time::Duration;

use rand::RngExt;
use tokio::{
    io::{AsyncWriteExt, Interest},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    time,
};

use super::{answers::Answers, attacker::Attacker, tally::AttackEnd};

/// The time between two bytes of a slow request, in milliseconds: for each connection another.
const BETWEEN: std::ops::Range<u64> = 2000..8000;
/// How often one that does not read looks whether the server has closed the connection.
const LOOK: Duration = Duration::from_millis(200);

/// Sends the head of a request byte by byte.
pub async fn head(attacker: &mut Attacker) -> Result<AttackEnd, AttackEnd> {
    trickle(attacker, "GET /livez HTTP/1.1\r\nX-Slow: ".to_owned()).await
}

/// Sends the body of a request byte by byte, with a good key.
pub async fn body(attacker: &mut Attacker) -> Result<AttackEnd, AttackEnd> {
    let key = attacker.victim.key();
    let head = format!(
        "POST /v1/commands HTTP/1.1\r\nHost: attacked\r\nAuthorization: Bearer {key}\r\nContent-Length: 100000\r\n\r\n"
    );
    trickle(attacker, head).await
}

async fn trickle(attacker: &mut Attacker, begin: String) -> Result<AttackEnd, AttackEnd> {
    let between = Duration::from_millis(attacker.rng.random_range(BETWEEN));
    let (reader, mut writer) = attacker.victim.connect(attacker.number).await?.into_split();
    writer.write_all(begin.as_bytes()).await.map_err(|_| AttackEnd::Reset)?;
    let drip = async {
        loop {
            time::sleep(between).await;
            if writer.write_all(b"x").await.is_err() {
                return AttackEnd::Reset;
            }
        }
    };
    tokio::select! {
        status = status(reader) => status,
        end = drip => Ok(end),
    }
}

async fn status(reader: OwnedReadHalf) -> Result<AttackEnd, AttackEnd> {
    Ok(AttackEnd::Status(Answers::new(reader).status().await?))
}

/// Sends nothing.
pub async fn silence(attacker: &Attacker) -> Result<AttackEnd, AttackEnd> {
    let (reader, _writer) = attacker.victim.connect(attacker.number).await?.into_split();
    status(reader).await
}

/// Makes a handshake, and says no hello.
pub async fn no_hello(attacker: &Attacker) -> Result<AttackEnd, AttackEnd> {
    let (mut answers, _writer) = attacker.victim.upgrade(attacker.number, &attacker.terminal()).await?;
    Ok(answers.frames(|what| attacker.tally.received(attacker.kind, what)).await)
}

/// Begins a session, and reads nothing before the server has closed it.
pub async fn deaf(attacker: &Attacker) -> Result<AttackEnd, AttackEnd> {
    let (mut answers, writer) = attacker.victim.greet(attacker.number, &attacker.terminal()).await?;
    closed(&writer).await;
    Ok(answers.frames(|what| attacker.tally.received(attacker.kind, what)).await)
}

/// Asks for all events, and reads no more than the head of the answer.
pub async fn event_stream(attacker: &Attacker) -> Result<AttackEnd, AttackEnd> {
    let key = attacker.victim.key();
    let head = format!("GET /v1/events HTTP/1.1\r\nHost: attacked\r\nAuthorization: Bearer {key}\r\n\r\n");
    let (reader, mut writer) = attacker.victim.connect(attacker.number).await?.into_split();
    writer.write_all(head.as_bytes()).await.map_err(|_| AttackEnd::Reset)?;
    let mut answers = Answers::new(reader);
    match answers.status().await? {
        200 => {
            closed(&writer).await;
            Ok(AttackEnd::Closed)
        }
        status => Ok(AttackEnd::Status(status)),
    }
}

/// Waits until the server has closed the connection, without reading what it sent before.
async fn closed(writer: &OwnedWriteHalf) {
    // What is readable stays so, since nobody reads: there is no event to wait for.
    while let Ok(ready) = writer.as_ref().ready(Interest::READABLE).await {
        if ready.is_read_closed() {
            return;
        }
        time::sleep(LOOK).await;
    }
}
