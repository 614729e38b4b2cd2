//! Floods: frames of one kind without end, in a session that began well.

use std::{convert::Infallible, io, pin::pin, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    net::tcp::OwnedWriteHalf,
    time::{self, MissedTickBehavior},
};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::{attacker::Attacker, frame::client_frame, kind::AttackKind, tally::AttackEnd};

/// Frames a second of one attacker: 40 times what a node reads of one terminal.
const RATE: u32 = 20_000;
/// About how many bytes are written at once.
const BLOCK: usize = 16 * 1024;
/// A write that takes longer shows that the server reads no faster.
const STALL: Duration = Duration::from_secs(1);

/// The frames of a flood.
struct Flood {
    /// Sent once.
    first: Vec<u8>,
    /// Sent again and again.
    again: Vec<u8>,
}

impl Flood {
    fn of(kind: AttackKind) -> Self {
        let text = |text: &str| client_frame(OpCode::Data(Data::Text), true, text.as_bytes());
        let again = match kind {
            AttackKind::Pings => client_frame(OpCode::Control(Control::Ping), true, &[b'p'; 100]),
            AttackKind::Pongs => client_frame(OpCode::Control(Control::Pong), true, &[b'p'; 100]),
            AttackKind::Continuations => client_frame(OpCode::Data(Data::Continue), false, b""),
            AttackKind::Acks => text(r#"{"type":"ack","id":"0198c0de-0000-7000-8000-000000000001"}"#),
            AttackKind::Health => text(r#"{"type":"health","condition":"failing","metrics":{"battery":1}}"#),
            AttackKind::Events => text(r#"{"type":"event","name":"flood","payload":"of events that nobody wants"}"#),
            _ => text(r#"{"type":"nothing","of":"all that a node knows"}"#),
        };
        let is_fragmented = kind == AttackKind::Continuations;
        let first = if is_fragmented { client_frame(OpCode::Data(Data::Text), false, b"") } else { Vec::new() };
        Self { first, again }
    }
}

/// Floods until the session ends.
pub async fn run(attacker: &Attacker) -> Result<AttackEnd, AttackEnd> {
    let flood = Flood::of(attacker.kind);
    let (mut answers, writer) = attacker.victim.greet(attacker.number, &attacker.terminal()).await?;
    let written = write(writer, flood, attacker);
    let read = answers.frames(|what| attacker.tally.received(attacker.kind, what));
    // A write may fail before the close frame was read, which says more.
    let mut written = pin!(written);
    let mut read = pin!(read);
    tokio::select! {
        end = &mut read => return Ok(end),
        _ = &mut written => {}
    }
    Ok(time::timeout(STALL, read).await.unwrap_or(AttackEnd::Reset))
}

/// Writes until the connection breaks.
async fn write(mut writer: OwnedWriteHalf, flood: Flood, attacker: &Attacker) -> io::Result<Infallible> {
    let count = BLOCK / flood.again.len();
    let block = flood.again.repeat(count);
    writer.write_all(&flood.first).await?;
    let mut ticks = time::interval(Duration::from_secs(1) * count as u32 / RATE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut write = pin!(writer.write_all(&block));
        match time::timeout(STALL, &mut write).await {
            Ok(written) => written?,
            Err(_) => {
                attacker.tally.stalled(attacker.kind);
                write.await?;
            }
        }
        attacker.tally.frames(attacker.kind, count);
    }
}
