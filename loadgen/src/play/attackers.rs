//! Connections that attack the server beside the terminals. Nothing is owed to them, and nothing that they receive is
//! counted. They speak the protocol of the run, so they attack any server that terminals can speak with.

use std::{convert::Infallible, future::pending, time::Duration};

use tokio::{net::TcpStream, time::sleep};
use tokio_tungstenite::tungstenite::Message;

use super::socket::{Dialer, TerminalSocket};
use crate::{adapter::Heard, config::AttackWay};

/// The pause after an attempt that failed or a flood that ended, and between the attempts of a storm.
const PAUSE: Duration = Duration::from_secs(1);
/// The pause of a connection that is reset again and again.
const RESET_PAUSE: Duration = Duration::from_millis(100);
/// After how many pings a flood pauses for a millisecond: the terminals of this process need its CPU too.
const FLOOD: usize = 64;

/// Attacks until the task is aborted.
pub(super) async fn attack(way: AttackWay, mut dialer: Dialer) {
    // A small buffer soon makes the server wait.
    dialer.slow = way == AttackWay::StopReading;
    loop {
        let pause = once(way, &dialer).await.unwrap_or(PAUSE);
        sleep(pause).await;
    }
}

/// Attacks once. Returns the pause until the next time; `None` if the attempt failed, or if the server ended a flood.
async fn once(way: AttackWay, dialer: &Dialer) -> Option<Duration> {
    if way == AttackWay::Silent {
        let address = *dialer.targets.first()?.addresses.first()?;
        let stream = TcpStream::connect(address).await.ok()?;
        return Some(held(stream).await);
    }
    let target = dialer.targets.first()?;
    let (opened, _) = Box::pin(dialer.dial(target, 0, None, &mut |_: Heard<'_>| {})).await;
    let (mut socket, _) = opened.ok()?;
    match way {
        AttackWay::HalfOpen => {
            socket.cut().ok()?;
            Some(held(socket).await)
        }
        AttackWay::Silent | AttackWay::StopReading => Some(held(socket).await),
        AttackWay::Reset => {
            socket.reset();
            Some(RESET_PAUSE)
        }
        AttackWay::Storm => {
            socket.close().await;
            Some(PAUSE)
        }
        AttackWay::Flood => {
            flood(&mut socket).await;
            None
        }
    }
}

/// Keeps a connection open, and never returns.
async fn held<T>(connection: T) -> Duration {
    let never = pending::<Infallible>().await;
    drop(connection);
    match never {}
}

/// Sends pings until the server ends the connection, or reads no more.
async fn flood(socket: &mut TerminalSocket) {
    loop {
        for _ in 0..FLOOD {
            if socket.send(Message::Ping(vec![b'x'; 125].into())).await.is_err() {
                return;
            }
        }
        sleep(Duration::from_millis(1)).await;
    }
}
