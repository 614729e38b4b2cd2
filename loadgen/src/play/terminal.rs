//! One terminal through all of its stays: it comes and goes by the plan, and in between it comes back by the shipped client's policy.
//! Its cursor lives as long as it does.

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

use super::{
    Ear, Live,
    socket::{Caller, Door, Socket},
};
use crate::{
    clock::{Nanos, SECOND},
    config::Leave,
    journal::{Failure, Session},
    plan::{Life, Stay, Temper},
};

/// How long after a takeover the server may still send to the one that was replaced.
const TAKEOVER: Nanos = SECOND;

/// One terminal.
pub struct Terminal {
    /// Its part in the plan.
    pub life: Life,
    /// How it connects.
    pub caller: Caller,
    /// What it hears with.
    pub ear: Ear,
    /// When it comes back.
    pub backoff: Backoff,
    /// Bytes a second, if it reads slowly.
    pub rate: Option<f64>,
    /// Where the last session stood.
    pub cursor: Option<String>,
    /// Which door is next, of those there are.
    pub turn: usize,
    /// The connection that was left open without a word.
    pub black_hole: Option<Socket>,
    /// Connections that another of this terminal replaced.
    pub replaced: JoinSet<()>,
}

/// How a session went.
enum Ending {
    /// The stay is over; the socket is still good.
    Planned(Box<Socket>),
    /// The connection is gone.
    Lost(ConnectionEnd),
}

impl Terminal {
    /// Lives to the end of the plan.
    pub async fn live(mut self) {
        for stay in std::mem::take(&mut self.life.stays).into_iter().enumerate() {
            self.ear.journal.clock.reach(stay.1.from).await;
            self.stay(stay).await;
        }
    }

    async fn stay(&mut self, (number, stay): (usize, Stay)) {
        let until = self.ear.journal.clock.instant(stay.to);
        loop {
            let Ok((end, stood)) = tokio::time::timeout_at(until, self.dial()).await else {
                let now = self.now();
                return self.ear.journal.terminal(self.ear.number).give_up(now);
            };
            let (end, stood) = match (end, stood) {
                (Ok(socket), dialled) => match self.session(number, stay, socket, dialled).await {
                    (Ending::Planned(socket), _) => return self.leave(stay.leave, *socket).await,
                    (Ending::Lost(end), stood) => (end, stood),
                },
                (Err(end), _) => (end, Duration::ZERO),
            };
            match self.backoff.after(&end, stood) {
                Some(delay) => sleep_until(until.min(Instant::now() + delay)).await,
                // It was told to stay away: for the rest of this stay it does.
                None => sleep_until(until).await,
            }
            if Instant::now() >= until {
                return;
            }
        }
    }

    /// One attempt, and when it began.
    async fn dial(&mut self) -> (Result<Socket, ConnectionEnd>, Nanos) {
        let dialled = self.now();
        self.ear.journal.terminal(self.ear.number).dialling = Some(dialled);
        let doors = self.caller.doors.clone();
        let door: &Door = &doors[self.turn % doors.len()];
        // Boxed, since the many states of a handshake would otherwise be part of every terminal at rest.
        let opened = Box::pin(self.caller.dial(door, self.cursor.clone())).await;
        if let Err(end) = &opened {
            self.turn += 1;
            self.live_counters().failed.fetch_add(1, Relaxed);
            let failure = Failure { dialled, at: self.now(), why: end.to_string(), unanswered: false };
            let mut lines = self.ear.journal.terminal(self.ear.number);
            lines.dialling = None;
            lines.failures.push(failure);
        }
        (opened, dialled)
    }

    async fn session(&mut self, number: usize, stay: Stay, mut socket: Socket, dialled: Nanos) -> (Ending, Duration) {
        let session = self.begin(number, &mut socket, dialled);
        let began = Instant::now();
        let end = self.hold(&mut socket, self.ear.journal.clock.instant(stay.to)).await;
        self.live_counters().online.fetch_sub(1, Relaxed);
        let lost = end.as_ref().err();
        self.ear.journal.terminal(self.ear.number).ended(session, self.now(), lost);
        match end {
            Ok(()) => (Ending::Planned(Box::new(socket)), began.elapsed()),
            Err(end) => {
                self.live_counters().lost.fetch_add(1, Relaxed);
                (Ending::Lost(end), began.elapsed())
            }
        }
    }

    /// Writes down that a session is ready; its place in the journal.
    fn begin(&mut self, stay: usize, socket: &mut Socket, dialled: Nanos) -> usize {
        let ready = self.now();
        self.live_counters().online.fetch_add(1, Relaxed);
        if self.life.temper == Temper::Mute {
            socket.fall_silent();
        }
        let welcome = socket.welcome.as_ref();
        let resumed = welcome.is_some_and(|welcome| welcome.resumed);
        let node = welcome.map(|welcome| welcome.node.to_string()).unwrap_or_default();
        // A node that resumes sends what follows our old cursor: until it has, that one stays.
        if !resumed && let Some(cursor) = welcome.and_then(|welcome| welcome.cursor.as_ref()) {
            self.cursor = Some(cursor.clone());
        }
        let mut lines = self.ear.journal.terminal(self.ear.number);
        lines.dialling = None;
        lines.sessions.push(Session { stay, dialled, ready, ended: Nanos::MAX, node, resumed, lost: None });
        lines.sessions.len() - 1
    }

    /// Reads until the stay is over, or the connection.
    async fn hold(&mut self, socket: &mut Socket, until: Instant) -> Result<(), ConnectionEnd> {
        let patience = patience(socket);
        let alarm = sleep_until(until.min(Instant::now() + patience));
        tokio::pin!(alarm);
        loop {
            tokio::select! {
                biased;
                text = socket.next() => self.heard(socket, &text?).await?,
                () = &mut alarm => {
                    if Instant::now() >= until {
                        return Ok(());
                    }
                    if socket.heard.elapsed() >= patience {
                        return Err(ConnectionEnd::Silent);
                    }
                    // One timer for both, and none is touched when a message comes.
                    alarm.as_mut().reset(until.min(socket.heard + patience));
                }
            }
        }
    }

    async fn heard(&mut self, socket: &mut Socket, text: &str) -> Result<(), ConnectionEnd> {
        let at = self.now();
        for answer in self.ear.hear(text, at, &mut self.cursor) {
            socket.say(answer).await?;
        }
        if let Some(rate) = self.rate {
            sleep(Duration::from_secs_f64(text.len() as f64 / rate)).await;
        }
        Ok(())
    }

    async fn leave(&mut self, leave: Leave, socket: Socket) {
        match leave {
            Leave::Close => socket.close().await,
            Leave::Reset => socket.reset(),
            // One at a time, so that they don't eat up the descriptors; the one before has long been given up on.
            Leave::BlackHole => self.black_hole = Some(socket),
            Leave::Twin => {
                self.replaced.spawn(replaced(socket, self.ear.clone(), self.now()));
            }
        }
    }

    fn now(&self) -> Nanos {
        self.ear.journal.clock.now()
    }

    fn live_counters(&self) -> &Arc<Live> {
        &self.ear.live
    }
}

/// How long the node may say nothing at all: three of the pings that it promised, or for ever.
fn patience(socket: &Socket) -> Duration {
    let ping = socket.welcome.as_ref().map_or(0, |welcome| welcome.ping_ms);
    if ping == 0 { Duration::from_secs(1 << 20) } else { Duration::from_millis(ping.saturating_mul(3)) }
}

/// Goes on reading what comes to a connection that another one of the same terminal replaces, until the server closes it.
async fn replaced(mut socket: Socket, ear: Ear, since: Nanos) {
    while let Ok(text) = socket.next().await {
        let at = ear.journal.clock.now();
        ear.hear(&text, at, &mut None);
        let mut lines = ear.journal.terminal(ear.number);
        let other = lines.sessions.iter().find(|session| session.ready > since).map(|session| session.ready);
        lines.from_replaced += u64::from(other.is_some_and(|ready| at > ready + TAKEOVER));
    }
    // A twin that was sent away stays away.
    pending::<()>().await;
}
