//! What happened in one scenario, in the order in which the kit learned of it: on the wire, and on the output of the program. The
//! checks of a scenario are questions to its recording, and its end is shown where a rule is broken.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{sync::Notify, time::timeout_at};

/// How much of a text is shown, in characters.
const SHOWN: usize = 200;

/// The recording of one scenario. Clones share it.
#[derive(Clone)]
pub struct Recording(Arc<Shared>);

struct Shared {
    began: Instant,
    recorded: Mutex<Vec<Recorded>>,
    changed: Notify,
}

/// Something that happened, and when the kit learned of it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// When the kit learned of it.
    pub at: Instant,
    /// What happened.
    pub what: Observed,
}

/// What can happen. Connections are numbered from 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// The program was started.
    Started,
    /// The program printed a line.
    Printed(Value),
    /// The program ended, with this code or by a signal.
    Exited(Option<i32>),
    /// A handshake came, and was answered with this status.
    Handshake(usize, u16),
    /// The kit sent this on a connection.
    Sent(usize, String),
    /// A text message came that is a JSON object.
    Frame(usize, Value),
    /// A message came that is none: the text, or how many bytes.
    NoFrame(usize, String),
    /// A pong came.
    Pong(usize, Vec<u8>),
    /// The client closed with this code.
    Closed(usize, u16),
    /// The connection is gone.
    Gone(usize),
}

impl Recording {
    /// An empty one.
    pub fn new() -> Self {
        Self(Arc::new(Shared { began: Instant::now(), recorded: Mutex::default(), changed: Notify::new() }))
    }

    /// Adds what happened now.
    pub fn add(&self, what: Observed) {
        self.lock().push(Recorded { at: Instant::now(), what });
        self.0.changed.notify_waiters();
    }

    /// Asks until there is an answer, at most this long.
    pub async fn wait<T>(&self, within: Duration, ask: impl Fn(&[Recorded]) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + within;
        loop {
            // Made before the question: what is added between the two wakes it.
            let changed = self.0.changed.notified();
            if let Some(answer) = self.ask(&ask) {
                return Some(answer);
            }
            if timeout_at(deadline.into(), changed).await.is_err() {
                return self.ask(&ask);
            }
        }
    }

    /// Asks what is recorded so far.
    pub fn ask<T>(&self, ask: impl Fn(&[Recorded]) -> T) -> T {
        ask(&self.lock())
    }

    /// The last lines, for people.
    pub fn tail(&self, lines: usize) -> Vec<String> {
        let recorded = self.lock();
        let shown = &recorded[recorded.len().saturating_sub(lines)..];
        shown.iter().map(|it| format!("+{:.3} s  {}", (it.at - self.0.began).as_secs_f64(), it.what)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.0.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => write!(f, "the program is started"),
            Self::Printed(line) => write!(f, "printed  {}", shortened(&line.to_string())),
            Self::Exited(Some(code)) => write!(f, "the program ended with {code}"),
            Self::Exited(None) => write!(f, "the program was ended by a signal"),
            Self::Handshake(link, status) => write!(f, "[{link}] a handshake, answered with {status}"),
            Self::Sent(link, text) => write!(f, "[{link}] node     {}", shortened(text)),
            Self::Frame(link, frame) => write!(f, "[{link}] client   {}", shortened(&frame.to_string())),
            Self::NoFrame(link, text) => write!(f, "[{link}] client   no frame: {}", shortened(text)),
            Self::Pong(link, bytes) => write!(f, "[{link}] client   pong {}", bytes.escape_ascii()),
            Self::Closed(link, code) => write!(f, "[{link}] client   closes with {code}"),
            Self::Gone(link) => write!(f, "[{link}] the connection is gone"),
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}
