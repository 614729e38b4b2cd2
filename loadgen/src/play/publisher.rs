//! The connection that sends messages to a server which relays what it receives to all (`--target raw` without `--post`).
//!
//! The server also relays each message to this connection. These copies are read, so that the connection does not fill
//! up, and count as nobody's delivery. A connection that is lost is opened again. A message that is due meanwhile is not
//! sent late and is not the server's refusal: it counts as [`SendOutcome::Unsent`].

use std::{future::Future, pin::pin, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::{
    fleet,
    socket::{Caller, Socket},
};
use crate::{config::Line, journal::SendOutcome};

/// The pause before each attempt to connect again: short, since what is due in it can't be sent.
const PAUSE: Duration = Duration::from_millis(200);
/// Messages that wait to be written. With more, the sender waits, and its lag shows it.
const WAITING: usize = 64;

/// A message to be written, and where its outcome goes.
type Request = (String, oneshot::Sender<SendOutcome>);

/// Sends texts over the connection, which a task of its own holds.
pub struct Publisher(mpsc::Sender<Request>);

impl Publisher {
    /// Starts to connect.
    pub async fn start(line: &Line) -> anyhow::Result<Self> {
        let caller = fleet::publisher(line).await?;
        let (requests, received) = mpsc::channel(WAITING);
        tokio::spawn(run(caller, received));
        Ok(Self(requests))
    }

    /// Writes a text. Accepted means written: such a server acknowledges nothing.
    pub async fn publish(&self, text: String) -> SendOutcome {
        let (outcome, received) = oneshot::channel();
        let gone = || SendOutcome::Unsent("the task that sends has ended".into());
        match self.0.send((text, outcome)).await {
            Ok(()) => received.await.unwrap_or_else(|_| gone()),
            Err(_) => gone(),
        }
    }
}

/// Connects, and connects again, until all senders are gone.
async fn run(caller: Caller, mut requests: mpsc::Receiver<Request>) {
    let mut why = "it has not connected yet".to_owned();
    let mut pause = Duration::ZERO;
    for door in caller.doors.iter().cycle() {
        let attempt = async {
            sleep(pause).await;
            caller.dial(door, None).await
        };
        let Some(connected) = decline_until(attempt, &why, &mut requests).await else { return };
        let end = match connected {
            Ok(socket) => relay(socket, &mut requests).await,
            Err(end) => Some(end.to_string()),
        };
        pause = PAUSE;
        match end {
            Some(end) => why = end,
            None => return,
        }
    }
}

/// Answers each request with [`SendOutcome::Unsent`] until the attempt is over. `None` if all senders are gone.
async fn decline_until<T>(
    attempt: impl Future<Output = T>,
    why: &str,
    requests: &mut mpsc::Receiver<Request>,
) -> Option<T> {
    let mut attempt = pin!(attempt);
    loop {
        tokio::select! {
            over = &mut attempt => return Some(over),
            request = requests.recv() => {
                let _ = request?.1.send(SendOutcome::Unsent(format!("the generator's sending connection is down: {why}")));
            }
        }
    }
}

/// Writes what is requested. Returns why the connection ended, or `None` if all senders are gone.
async fn relay(mut socket: Socket, requests: &mut mpsc::Receiver<Request>) -> Option<String> {
    loop {
        tokio::select! {
            request = requests.recv() => {
                let (text, outcome) = request?;
                if let Err(end) = socket.say(text).await {
                    // A part of it may have been written.
                    let why = end.to_string();
                    let _ = outcome.send(SendOutcome::Unknown(format!("the generator's sending connection failed: {why}")));
                    return Some(why);
                }
                let _ = outcome.send(SendOutcome::Accepted);
            }
            received = socket.next() => if let Err(end) = received { return Some(end.to_string()) },
        }
    }
}
