//! The connection that sends messages to a server which relays to all terminals what it receives (`--target raw`
//! without `--post`).
//!
//! The server also relays each message to this connection. The connection reads these copies so that its receive
//! buffer does not fill up; they do not count as deliveries. A lost connection is opened again. A message that is
//! due while the connection is down is not sent later, and it is not a refusal by the server: its outcome is
//! [`SendOutcome::Unsent`].

use std::{future::Future, pin::pin, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::{
    fleet,
    socket::{Dialer, TerminalSocket},
};
use crate::{config::FleetConfig, journal::SendOutcome};

/// The pause before each attempt to connect again. It is short, because no message can be sent during the pause.
const PAUSE: Duration = Duration::from_millis(200);
/// The capacity of the queue of messages to write. If the queue is full, the sender waits, and the wait shows in the
/// measured send lag.
const WAITING: usize = 64;

/// A message to write, and the channel for its outcome.
type Request = (String, oneshot::Sender<SendOutcome>);

/// Sends texts over the connection, which a separate task owns.
pub struct Publisher(mpsc::Sender<Request>);

impl Publisher {
    /// Starts the task, which connects at once. Fails if the URL can't be resolved.
    pub async fn start(line: &FleetConfig) -> anyhow::Result<Self> {
        let dialer = fleet::publisher(line).await?;
        let (requests, received) = mpsc::channel(WAITING);
        tokio::spawn(run(dialer, received));
        Ok(Self(requests))
    }

    /// Writes a text. [`SendOutcome::Accepted`] means that the text was written, because such a server acknowledges
    /// nothing.
    pub async fn publish(&self, text: String) -> SendOutcome {
        let (outcome, received) = oneshot::channel();
        let gone = || SendOutcome::Unsent("the task that sends has ended".into());
        match self.0.send((text, outcome)).await {
            Ok(()) => received.await.unwrap_or_else(|_| gone()),
            Err(_) => gone(),
        }
    }
}

/// Connects, and connects again after each loss, until all senders are dropped.
async fn run(dialer: Dialer, mut requests: mpsc::Receiver<Request>) {
    let mut why = "it has not connected yet".to_owned();
    let mut pause = Duration::ZERO;
    for target in dialer.targets.iter().cycle() {
        let attempt = async {
            sleep(pause).await;
            dialer.dial(target, 0, None).await.0
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

/// Answers each request with [`SendOutcome::Unsent`] until `attempt` completes, and returns its output. Returns
/// `None` if all senders are dropped.
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

/// Writes each requested text. Returns why the connection ended, or `None` if all senders are dropped.
async fn relay(mut socket: TerminalSocket, requests: &mut mpsc::Receiver<Request>) -> Option<String> {
    loop {
        tokio::select! {
            request = requests.recv() => {
                let (text, outcome) = request?;
                if let Err(end) = socket.send_text(text).await {
                    // Some of the text's bytes may have been written, so the outcome is unknown.
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
