//! One terminal for the whole run. The terminal connects and leaves by the plan. Within a stay it reconnects by the
//! policy of the shipped client. It keeps from session to session from where it can resume.

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
    session_timers::SessionTimers,
    socket::{DialTarget, Dialer, TerminalSocket},
};
use crate::{
    adapter::{Heard, Readiness},
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
    /// Records what the terminal hears.
    pub receiver: FrameReceiver,
    /// Computes the delay before each reconnect.
    pub backoff: Backoff,
    /// The read rate in bytes per second, if the terminal reads slowly.
    pub rate: Option<f64>,
    /// From where the next session can resume. `None` before the first session, and if the protocol resumes none.
    pub resume: Option<String>,
    /// The number of failed attempts plus the terminal's number. Modulo the number of endpoints, it is the index of the
    /// next endpoint. Divided by that number, it is the number of the address to begin with.
    pub next_target: usize,
    /// The last connection that was left open without a close frame.
    pub black_hole: Option<TerminalSocket>,
    /// Tasks that read connections which another connection of the same terminal replaced.
    pub replaced: JoinSet<()>,
}

/// A connection that has become a session.
struct NewSession {
    socket: TerminalSocket,
    readiness: Readiness,
    /// When the terminal was ready.
    ready: Nanos,
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
                (Ok(new), dialled) => match self.session(number, stay, new, dialled).await {
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
    async fn dial(&mut self) -> (Result<NewSession, ConnectionEnd>, Nanos) {
        let dialled = self.now();
        self.receiver.journal.terminal(self.receiver.number).dialling = Some(dialled);
        let targets = self.dialer.targets.clone();
        let target: &DialTarget = &targets[self.next_target % targets.len()];
        // With one URL, terminal n begins with address n.
        let first = self.next_target / targets.len();
        // The future is boxed, because the many states of a handshake would otherwise enlarge the task of every idle
        // terminal.
        let (receiver, mut earliest) = (&self.receiver, None);
        let mut hear = |heard: Heard<'_>| {
            let at = receiver.journal.clock.now();
            if matches!(heard, Heard::Payload(..) | Heard::Gap) {
                earliest.get_or_insert(at);
            }
            receiver.heard(&heard, at);
        };
        let (opened, handshake) = Box::pin(self.dialer.dial(target, first, self.resume.clone(), &mut hear)).await;
        // What comes in the frame that made the terminal ready belongs to the session.
        let ready = earliest.unwrap_or_else(|| self.now());
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
        (opened.map(|(socket, readiness)| NewSession { socket, readiness, ready }), dialled)
    }

    async fn session(
        &mut self,
        number: usize,
        stay: Stay,
        new: NewSession,
        dialled: Nanos,
    ) -> (SessionEnding, Duration) {
        let NewSession { mut socket, readiness, ready } = new;
        let until = self.receiver.journal.clock.instant(stay.to);
        let mut timers = SessionTimers::new(&readiness, until, Instant::now());
        let session = self.begin(SessionRecord {
            stay: number,
            dialled,
            ready,
            ended: Nanos::MAX,
            node: readiness.node,
            resumed: readiness.resumed,
            lost: None,
        });
        if self.planned.behaviour == Behaviour::Mute {
            socket.mute();
        }
        let began = Instant::now();
        let end = self.hold(&mut socket, &mut timers).await;
        self.resume = socket.resume_state();
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
    fn begin(&mut self, session: SessionRecord) -> usize {
        self.live_counters().online.fetch_add(1, Relaxed);
        if session.resumed {
            self.receiver.journal.set_resumed();
        }
        let mut log = self.receiver.journal.terminal(self.receiver.number);
        log.dialling = None;
        log.sessions.push(session);
        log.sessions.len() - 1
    }

    /// Reads until the stay is over or the connection is lost.
    async fn hold(&mut self, socket: &mut TerminalSocket, timers: &mut SessionTimers) -> Result<(), ConnectionEnd> {
        let alarm = sleep_until(timers.next(socket.last_read));
        tokio::pin!(alarm);
        loop {
            tokio::select! {
                biased;
                frame = socket.next() => self.received(socket, &frame?).await?,
                () = &mut alarm => {
                    let now = Instant::now();
                    if now >= timers.until {
                        return Ok(());
                    }
                    if timers.is_silent(socket.last_read, now) {
                        return Err(ConnectionEnd::Silent);
                    }
                    if let Some(frame) = timers.due_keepalive(now) {
                        socket.send(frame).await?;
                    }
                    // One timer serves all deadlines, and a received message does not reset it: the timer is
                    // extended only when it fires.
                    alarm.as_mut().reset(timers.next(socket.last_read));
                }
            }
        }
    }

    async fn received(&mut self, socket: &mut TerminalSocket, frame: &Message) -> Result<(), ConnectionEnd> {
        let at = self.now();
        let answers = socket.hear(frame, &mut |heard| self.receiver.heard(&heard, at))?;
        socket.answer(answers).await?;
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

/// Reads a connection that another connection of the same terminal replaces, until the server closes it. Counts the
/// messages that arrive more than the takeover grace after the newer session was ready.
async fn replaced(mut socket: TerminalSocket, receiver: FrameReceiver, since: Nanos) {
    while let Ok(frame) = socket.next().await {
        let at = receiver.journal.clock.now();
        if socket.hear(&frame, &mut |heard| receiver.heard(&heard, at)).is_err() {
            break;
        }
        let mut log = receiver.journal.terminal(receiver.number);
        let other = log.sessions.iter().find(|session| session.ready > since).map(|session| session.ready);
        log.from_replaced += u64::from(other.is_some_and(|ready| at > ready + TAKEOVER));
    }
    // A replaced connection must not reconnect, so this task never completes.
    pending::<()>().await;
}
