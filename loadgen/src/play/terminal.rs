//! One terminal for the whole run. The terminal connects and leaves by the plan. Within a stay it reconnects by the
//! policy of the shipped client. The cursor is retained from session to session.

use std::{
    future::pending,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use muster_client::{Backoff, ConnectionEnd};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_tungstenite::tungstenite::Message;

use super::{
    FrameReceiver, LiveCounters,
    socket::{DialTarget, Dialer, TerminalSocket},
};
use crate::{
    clock::{Nanos, SECOND},
    config::Leave,
    journal::{FailedAttempt, SessionRecord},
    plan::{Behaviour, Stay, TerminalPlan},
};

/// How long after a takeover the server may still send to the replaced session. A message that is read later counts
/// as an error.
const TAKEOVER: Nanos = SECOND;

/// The state of one terminal.
pub struct PlayedTerminal {
    /// The terminal's behaviour and its stays.
    pub planned: TerminalPlan,
    /// The connection settings.
    pub dialer: Dialer,
    /// Processes the texts that the terminal receives.
    pub receiver: FrameReceiver,
    /// Computes the delay before each reconnect.
    pub backoff: Backoff,
    /// The read rate in bytes per second, if the terminal reads slowly.
    pub rate: Option<f64>,
    /// The cursor of the last session; `None` before the first welcome or command.
    pub cursor: Option<String>,
    /// The number of failed attempts plus the terminal's number. Modulo the number of endpoints it is the index of the
    /// next endpoint, and divided by it, the number of the address to begin with.
    pub next_target: usize,
    /// The last connection that was left open without a close frame.
    pub black_hole: Option<TerminalSocket>,
    /// Tasks that read connections which another connection of the same terminal replaced.
    pub replaced: JoinSet<()>,
}

/// How a session ended.
enum SessionEnding {
    /// The stay is over, and the connection is still open.
    Planned(Box<TerminalSocket>),
    /// The connection was lost.
    Lost(ConnectionEnd),
}

impl PlayedTerminal {
    /// Runs the terminal to the end of its last stay.
    pub async fn live(mut self) {
        for stay in std::mem::take(&mut self.planned.stays).into_iter().enumerate() {
            self.receiver.journal.clock.wait_until(stay.1.from).await;
            self.stay(stay).await;
        }
    }

    async fn stay(&mut self, (number, stay): (usize, Stay)) {
        let until = self.receiver.journal.clock.instant(stay.to);
        loop {
            let Ok((end, stood)) = tokio::time::timeout_at(until, self.dial()).await else {
                let now = self.now();
                return self.receiver.journal.terminal(self.receiver.number).give_up(now);
            };
            let (end, stood) = match (end, stood) {
                (Ok(socket), dialled) => match self.session(number, stay, socket, dialled).await {
                    (SessionEnding::Planned(socket), _) => return self.leave(stay.leave, *socket).await,
                    (SessionEnding::Lost(end), stood) => (end, stood),
                },
                (Err(end), _) => (end, Duration::ZERO),
            };
            match self.backoff.after(&end, stood) {
                Some(delay) => sleep_until(until.min(Instant::now() + delay)).await,
                // The server has forbidden a reconnect, so the terminal stays away for the rest of this stay.
                None => sleep_until(until).await,
            }
            if Instant::now() >= until {
                return;
            }
        }
    }

    /// Makes one connection attempt and returns when it began. A failure is recorded, and the next attempt uses the
    /// next endpoint.
    async fn dial(&mut self) -> (Result<TerminalSocket, ConnectionEnd>, Nanos) {
        let dialled = self.now();
        self.receiver.journal.terminal(self.receiver.number).dialling = Some(dialled);
        let targets = self.dialer.targets.clone();
        let target: &DialTarget = &targets[self.next_target % targets.len()];
        // With one URL, terminal n begins with address n.
        let first = self.next_target / targets.len();
        // The future is boxed, because the many states of a handshake would otherwise enlarge the task of every idle
        // terminal.
        let (opened, handshake) = Box::pin(self.dialer.dial(target, first, self.cursor.clone())).await;
        if let Some(handshake) = handshake {
            self.receiver.journal.terminal(self.receiver.number).handshakes.push(handshake);
        }
        if let Err(end) = &opened {
            self.next_target += 1;
            self.live_counters().failed.fetch_add(1, Relaxed);
            let failure = FailedAttempt { dialled, at: self.now(), why: end.to_string(), unanswered: false };
            let mut log = self.receiver.journal.terminal(self.receiver.number);
            log.dialling = None;
            log.failures.push(failure);
        }
        (opened, dialled)
    }

    async fn session(
        &mut self,
        number: usize,
        stay: Stay,
        mut socket: TerminalSocket,
        dialled: Nanos,
    ) -> (SessionEnding, Duration) {
        let session = self.begin(number, &mut socket, dialled);
        let began = Instant::now();
        let end = self.hold(&mut socket, self.receiver.journal.clock.instant(stay.to)).await;
        self.live_counters().online.fetch_sub(1, Relaxed);
        let lost = end.as_ref().err();
        self.receiver.journal.terminal(self.receiver.number).ended(session, self.now(), lost);
        match end {
            Ok(()) => (SessionEnding::Planned(Box::new(socket)), began.elapsed()),
            Err(end) => {
                self.live_counters().lost.fetch_add(1, Relaxed);
                (SessionEnding::Lost(end), began.elapsed())
            }
        }
    }

    /// Records that a session is ready. Returns the session's index in the journal.
    fn begin(&mut self, stay: usize, socket: &mut TerminalSocket, dialled: Nanos) -> usize {
        let ready = self.now();
        self.live_counters().online.fetch_add(1, Relaxed);
        if self.planned.behaviour == Behaviour::Mute {
            socket.mute();
        }
        let welcome = socket.welcome.as_ref();
        let resumed = welcome.is_some_and(|welcome| welcome.resumed);
        let node = welcome.map(|welcome| welcome.node.to_string()).unwrap_or_default();
        // A node that resumes first replays what follows the old cursor, so the old cursor stays valid until a
        // replayed command brings a new one.
        if !resumed && let Some(cursor) = welcome.and_then(|welcome| welcome.cursor.as_ref()) {
            self.cursor = Some(cursor.clone());
        }
        if resumed {
            self.receiver.journal.set_resumed();
        }
        let mut log = self.receiver.journal.terminal(self.receiver.number);
        log.dialling = None;
        log.sessions.push(SessionRecord { stay, dialled, ready, ended: Nanos::MAX, node, resumed, lost: None });
        log.sessions.len() - 1
    }

    /// Reads until the stay is over or the connection is lost.
    async fn hold(&mut self, socket: &mut TerminalSocket, until: Instant) -> Result<(), ConnectionEnd> {
        let patience = patience(socket);
        let alarm = sleep_until(until.min(Instant::now() + patience));
        tokio::pin!(alarm);
        loop {
            tokio::select! {
                biased;
                frame = socket.next() => self.received(socket, &frame?).await?,
                () = &mut alarm => {
                    if Instant::now() >= until {
                        return Ok(());
                    }
                    if socket.last_read.elapsed() >= patience {
                        return Err(ConnectionEnd::Silent);
                    }
                    // One timer serves both deadlines, and a received message does not reset it: the timer is
                    // extended only when it fires.
                    alarm.as_mut().reset(until.min(socket.last_read + patience));
                }
            }
        }
    }

    async fn received(&mut self, socket: &mut TerminalSocket, frame: &Message) -> Result<(), ConnectionEnd> {
        let at = self.now();
        for answer in self.receiver.receive(frame, at, &mut self.cursor) {
            socket.send_text(answer).await?;
        }
        if let Some(rate) = self.rate {
            sleep(Duration::from_secs_f64(frame.len() as f64 / rate)).await;
        }
        Ok(())
    }

    async fn leave(&mut self, leave: Leave, socket: TerminalSocket) {
        match leave {
            Leave::Close => socket.close().await,
            Leave::Reset => socket.reset(),
            // A terminal retains at most one such connection, so that they do not use up the file descriptors. The
            // server has given up on the previous one long before.
            Leave::BlackHole => self.black_hole = Some(socket),
            Leave::Twin => {
                self.replaced.spawn(replaced(socket, self.receiver.clone(), self.now()));
            }
        }
    }

    fn now(&self) -> Nanos {
        self.receiver.journal.clock.now()
    }

    fn live_counters(&self) -> &Arc<LiveCounters> {
        &self.receiver.live
    }
}

/// Returns how long the node may send nothing before the terminal gives the session up: three of the ping intervals
/// that the welcome announced. Without pings the limit is 2^20 seconds, which never passes in a run.
fn patience(socket: &TerminalSocket) -> Duration {
    let ping = socket.welcome.as_ref().map_or(0, |welcome| welcome.ping_ms);
    if ping == 0 { Duration::from_secs(1 << 20) } else { Duration::from_millis(ping.saturating_mul(3)) }
}

/// Reads a connection that another connection of the same terminal replaces, until the server closes it. Counts the
/// messages that arrive more than the takeover grace after the newer session was ready.
async fn replaced(mut socket: TerminalSocket, receiver: FrameReceiver, since: Nanos) {
    while let Ok(frame) = socket.next().await {
        let at = receiver.journal.clock.now();
        receiver.receive(&frame, at, &mut None);
        let mut log = receiver.journal.terminal(receiver.number);
        let other = log.sessions.iter().find(|session| session.ready > since).map(|session| session.ready);
        log.from_replaced += u64::from(other.is_some_and(|ready| at > ready + TAKEOVER));
    }
    // A replaced connection must not reconnect, so this task never completes.
    pending::<()>().await;
}
