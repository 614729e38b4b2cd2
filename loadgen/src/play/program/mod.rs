//! The pipe to the program of `--adapter-cmd`, one process for all terminals. A [`ProgramLine`] asks for its
//! connection, and `process` owns the process.
//!
//! A program has failed if it ends, gives an answer that is not understood or was not asked for, or lets a request wait
//! for 5 s. No terminal can go on without it, so the run ends. The number of connections bounds the open requests,
//! since each asks one thing at a time; the channel bounds the lines that the program has not read.

mod line;
mod process;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

pub use self::{line::ProgramLine, process::ProgramProcess};
use crate::adapter::{ProgramAnswer, ProgramEvent, ProgramRequest};

/// How many lines may wait for the program, besides eight for each terminal. If more wait, the program has failed.
const WAITING: usize = 1024;

/// Asks the program. Clones ask the same one.
#[derive(Clone)]
pub struct ProgramPipe(Arc<PipeState>);

struct PipeState {
    /// Lines for the program.
    lines: mpsc::Sender<String>,
    open: Mutex<OpenRequests>,
    failure: watch::Sender<Option<ProgramFailure>>,
    /// The number of connections so far.
    connections: AtomicU64,
}

/// The requests that are not answered.
#[derive(Default)]
struct OpenRequests {
    /// The number of requests so far.
    asked: u64,
    /// When each request was asked and who waits for its answer, by id.
    waiting: BTreeMap<u64, (Instant, oneshot::Sender<String>)>,
    /// The longest time that an answer took.
    longest: Duration,
    /// Whether the program has failed: nothing more is asked.
    is_closed: bool,
}

/// Why the program can't be used any more.
#[derive(Debug, Clone)]
pub struct ProgramFailure {
    /// What the program did.
    pub why: String,
    /// Since when the program has left a request open, or when it failed. What terminals heard later says nothing about
    /// the server.
    pub since: Instant,
}

impl ProgramPipe {
    /// Returns a pipe for this number of terminals, and the lines for the program.
    fn new(terminals: usize) -> (Self, mpsc::Receiver<String>) {
        let (lines, received) = mpsc::channel(WAITING + 8 * terminals);
        let (failure, connections) = (watch::Sender::new(None), AtomicU64::new(0));
        (Self(Arc::new(PipeState { lines, open: Mutex::default(), failure, connections })), received)
    }

    /// Asks the program. The receiver fails if the program has failed, or fails before it answers.
    fn ask(&self, connection: u64, event: ProgramEvent<'_>) -> oneshot::Receiver<String> {
        let (answer, received) = oneshot::channel();
        let id = {
            let mut open = self.open();
            if open.is_closed {
                return received;
            }
            open.asked += 1;
            let id = open.asked;
            open.waiting.insert(id, (Instant::now(), answer));
            id
        };
        self.send(ProgramRequest { id: Some(id), connection, event });
        received
    }

    /// Tells the program what needs no answer.
    fn tell(&self, connection: u64, event: ProgramEvent<'_>) {
        if !self.open().is_closed {
            self.send(ProgramRequest { id: None, connection, event });
        }
    }

    fn send(&self, request: ProgramRequest<'_>) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.0.lines.try_send(request.line()) {
            self.fail(format!("it reads too slowly: {} lines wait for it", self.0.lines.max_capacity()));
        }
    }

    /// Passes an answer on to whoever asked. The error says what is wrong with it.
    fn answered(&self, line: String) -> Result<(), String> {
        let shown = || line.chars().take(80).collect::<String>();
        let answer = ProgramAnswer::read(&line)
            .map_err(|error| format!("it answered what is not understood: {error}: {:?}", shown()))?;
        let mut open = self.open();
        let asked = open.waiting.remove(&answer.id);
        let (at, waiting) = asked.ok_or_else(|| format!("it answered a request that is not open: {:?}", shown()))?;
        open.longest = open.longest.max(at.elapsed());
        drop(open);
        // Whoever asked may have gone.
        let _ = waiting.send(line);
        Ok(())
    }

    /// Ends the use of the program. Only the first reason counts.
    fn fail(&self, why: String) {
        let since = self.oldest().unwrap_or_else(Instant::now);
        self.0.failure.send_if_modified(|failure| {
            let is_first = failure.is_none();
            failure.get_or_insert(ProgramFailure { why, since });
            is_first
        });
        let mut open = self.open();
        open.longest = open.longest.max(since.elapsed());
        open.is_closed = true;
        open.waiting.clear();
    }

    /// Returns when the oldest open request was asked.
    fn oldest(&self) -> Option<Instant> {
        self.open().waiting.first_key_value().map(|(_, (at, _))| *at)
    }

    /// Returns the longest time that an answer took, or an open request has waited.
    pub fn longest_wait(&self) -> Duration {
        let oldest = self.oldest().map_or(Duration::ZERO, |asked| asked.elapsed());
        self.open().longest.max(oldest)
    }

    /// Returns why the program can't be used any more, if so.
    pub fn failure(&self) -> Option<ProgramFailure> {
        self.0.failure.borrow().clone()
    }

    /// Waits until the program has failed.
    pub async fn failed(&self) {
        // The sender is in `self`, so the wait can't fail.
        let _ = self.0.failure.subscribe().wait_for(Option::is_some).await;
    }

    /// Returns a number for a new connection, from 1.
    fn connection(&self) -> u64 {
        self.0.connections.fetch_add(1, Relaxed) + 1
    }

    fn open(&self) -> MutexGuard<'_, OpenRequests> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
