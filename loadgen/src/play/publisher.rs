//! The connection that publishes messages through the adapter (`--send-by socket`). A server relays each of them to all
//! terminals.
//!
//! The server also relays each message to this connection. The connection reads these copies so that its receive
//! buffer does not fill up; they do not count as deliveries. A lost connection is opened again. A message that is
//! due while the connection is down is not sent later, and it is not a refusal by the server: its outcome is
//! [`SendOutcome::Unsent`].

use std::{collections::HashMap, future::Future, pin::pin, time::Duration};

use muster_client::ConnectionEnd;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until},
};
use tokio_tungstenite::tungstenite::Message;

use super::{
    ProgramPipe, fleet,
    session_timers::SessionTimers,
    socket::{Dialer, TerminalSocket},
};
use crate::{
    adapter::{Heard, Readiness},
    config::Config,
    journal::SendOutcome,
    plan::Partition,
};

/// The pause before each attempt to connect again. It is short, because no message can be sent during the pause.
const PAUSE: Duration = Duration::from_millis(200);
/// The capacity of the queue of messages to write. If the queue is full, the sender waits, and the wait shows in the
/// measured send lag.
const WAITING: usize = 64;

/// The end of a sending connection's stay, which has none: no run is that long.
const FOR_EVER: Duration = Duration::from_secs(1 << 20);

/// A message to write, its number, and the channel for its outcome.
struct Request {
    message: String,
    number: u32,
    outcome: oneshot::Sender<SendOutcome>,
}

/// The messages that were written and not answered, by their tickets. The server answers each, or the connection ends.
/// So there are at most as many as are written in the time that the server takes.
type Unanswered = HashMap<u32, oneshot::Sender<SendOutcome>>;

/// Sends texts over the connection, which a separate task owns.
pub struct Publisher(mpsc::Sender<Request>);

impl Publisher {
    /// Starts the task, which connects at once. Fails if the URL can't be resolved.
    pub async fn start(config: &Config, partition: Partition, program: Option<&ProgramPipe>) -> anyhow::Result<Self> {
        let dialer = fleet::publisher(config, partition, program).await?;
        let (requests, received) = mpsc::channel(WAITING);
        tokio::spawn(run(dialer, received));
        Ok(Self(requests))
    }

    /// Publishes a message. [`SendOutcome::Accepted`] means that the server acknowledged it, or that it was written if
    /// the protocol acknowledges nothing.
    pub async fn publish(&self, message: String, number: u32) -> SendOutcome {
        let (outcome, received) = oneshot::channel();
        let gone = || SendOutcome::Unsent("the task that sends has ended".into());
        match self.0.send(Request { message, number, outcome }).await {
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
            dialer.dial(target, 0, None, &mut |_: Heard<'_>| {}).await.0
        };
        let Some(connected) = decline_until(attempt, &why, &mut requests).await else { return };
        let end = match connected {
            Ok((socket, readiness)) => relay(socket, &readiness, &mut requests).await,
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
                let _ = request?.outcome.send(SendOutcome::Unsent(format!("the generator's sending connection is down: {why}")));
            }
        }
    }
}

/// Publishes each message that is requested. Returns why the connection ended, or `None` if all senders are dropped.
async fn relay(
    mut socket: TerminalSocket,
    readiness: &Readiness,
    requests: &mut mpsc::Receiver<Request>,
) -> Option<String> {
    let mut unanswered = Unanswered::new();
    let end = exchange(&mut socket, readiness, requests, &mut unanswered).await;
    if let Some(why) = &end {
        for (_, outcome) in unanswered {
            let _ = outcome.send(lost(why));
        }
    }
    end
}

async fn exchange(
    socket: &mut TerminalSocket,
    readiness: &Readiness,
    requests: &mut mpsc::Receiver<Request>,
    unanswered: &mut Unanswered,
) -> Option<String> {
    let mut timers = SessionTimers::new(readiness, Instant::now() + FOR_EVER, Instant::now());
    loop {
        let alarm = sleep_until(timers.next(socket.last_read));
        let done = tokio::select! {
            request = requests.recv() => publish(socket, request?, unanswered).await,
            frame = socket.next() => match frame {
                Ok(frame) => heard(socket, &frame, unanswered).await,
                Err(end) => Err(end),
            },
            () = alarm => match timers.due_keepalive(Instant::now()) {
                Some(frame) => socket.send(frame).await,
                None if timers.is_silent(socket.last_read, Instant::now()) => Err(ConnectionEnd::Silent),
                // A ping was read meanwhile.
                None => Ok(()),
            },
        };
        if let Err(end) = done {
            return Some(end.to_string());
        }
    }
}

async fn publish(
    socket: &mut TerminalSocket,
    request: Request,
    unanswered: &mut Unanswered,
) -> Result<(), ConnectionEnd> {
    let publication = match socket.publication(&request.message, request.number).await {
        Ok(publication) => publication,
        Err(end) => {
            let _ = request.outcome.send(SendOutcome::Unsent(end.to_string()));
            return Err(end);
        }
    };
    if let Err(end) = socket.send(publication.frame).await {
        // Some of the message's bytes may have been written, so the outcome is unknown.
        let _ = request.outcome.send(lost(&end.to_string()));
        return Err(end);
    }
    match publication.ticket {
        Some(ticket) => drop(unanswered.insert(ticket, request.outcome)),
        None => drop(request.outcome.send(SendOutcome::Accepted)),
    }
    Ok(())
}

/// Reads the answers of the server. What it relays does not count.
async fn heard(socket: &mut TerminalSocket, frame: &Message, unanswered: &mut Unanswered) -> Result<(), ConnectionEnd> {
    let answers = socket.hear(frame, &mut |heard| {
        if let Heard::Published(ticket, answer) = heard
            && let Some(outcome) = unanswered.remove(&ticket)
        {
            let _ = outcome.send(answer.map_or_else(SendOutcome::Refused, |()| SendOutcome::Accepted));
        }
    })?;
    socket.answer(answers).await
}

fn lost(why: &str) -> SendOutcome {
    SendOutcome::Unknown(format!("the generator's sending connection failed: {why}"))
}
