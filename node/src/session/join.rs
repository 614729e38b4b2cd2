//! How a session joins: it registers, sends the welcome, sends what its terminal missed, and is released into the
//! live stream. A session joins again after the store was lost. Meanwhile its socket is held, so nothing overtakes,
//! and what the terminal sends is read.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster_protocol::{
    Payload,
    api::Protocol,
    frame::{FromNode, Gap, Hello, Welcome},
};
use tokio::time;

use super::established::{EVENT_MAX, Established};
use crate::{
    backplane::{Cursor, GapReason, JoinOutcome, JoinRequest, MissedCommand, ResumePoint, encode},
    end::SessionEnd,
    wire,
};

/// The number of missed commands whose frames are fetched together. At the size limit the frames take 16 MiB; mostly
/// they take a few KiB.
const PORTION: usize = 64;
/// The time between two tries to fetch frames while the store is away.
const AGAIN: Duration = Duration::from_secs(1);

/// What a session remembers of its registration, for the next one.
#[derive(Debug, Default)]
pub struct ResumeState {
    will: Option<Payload>,
    /// The cursor that the terminal resumed from; once the session is registered, the cursor of that registration.
    cursor: Option<Cursor>,
    registered: bool,
}

impl Established {
    /// Joins with the hello of a `muster.v1` terminal, or without one in plain mode.
    pub async fn join(&mut self, hello: Option<Hello>) -> Result<(), SessionEnd> {
        let mut too_large = None;
        if let Some(hello) = hello {
            let cursor = hello.resume.as_deref().and_then(|text| text.parse().ok());
            let will = bounded(hello.will).unwrap_or_else(|size| {
                too_large = Some(size);
                None
            });
            *self.resume_state = ResumeState { will, cursor, registered: false };
        }
        let start = self.register().await?;
        self.welcome(start.as_ref());
        // After the welcome, which is the first frame of every session.
        if let Some(size) = too_large {
            let message = format!(
                "hello.will: {size} bytes of JSON, at most {EVENT_MAX} are stored; the session goes on without a will"
            );
            self.send_error("too_large", message);
        }
        self.catch_up(start).await
    }

    /// Joins again: the registry may have lost this session, and commands may have passed it by.
    pub async fn rejoin(&mut self) -> Result<(), SessionEnd> {
        if self.resume_state.registered
            && let Some(cursor) = &mut self.resume_state.cursor
        {
            cursor.number = self.socket.received_up_to();
        }
        let start = self.register().await?;
        self.catch_up(start).await
    }

    /// Registers with the backplane. Returns none if the store is away.
    async fn register(&mut self) -> Result<Option<ResumePoint>, SessionEnd> {
        let mut request = JoinRequest {
            info: self.socket.info.clone(),
            will: self.resume_state.will.clone(),
            cursor: self.resume_state.cursor.clone(),
            again: self.resume_state.registered,
            patient: false,
        };
        loop {
            match self.shard.shared.backplane.join(&request).await {
                JoinOutcome::In(start) => return Ok(Some(start)),
                JoinOutcome::Ended(end) => return Err(end),
                JoinOutcome::Away => return Ok(None),
                JoinOutcome::Contested(delay) => {
                    self.read_for(delay).await?;
                    request.patient = true;
                }
            }
        }
    }

    fn welcome(&self, start: Option<&ResumePoint>) {
        if self.socket.protocol() == Protocol::Plain {
            return;
        }
        let resumed = self.resume_state.cursor.is_some() && start.is_some_and(|start| start.lost.is_none());
        let welcome = FromNode::Welcome(Welcome {
            session: self.socket.info.session,
            node: self.shard.shared.backplane.node().clone(),
            time: Timestamp::now(),
            ping_ms: self.shard.shared.config.ping.as_millis() as u64,
            max_message: self.shard.shared.config.max_message as u64,
            resumed,
            cursor: start.map(|start| start.before().to_string()),
        });
        self.send_frame(&wire::text(&welcome.to_string()));
    }

    /// Sends what was missed and releases the socket. While the store is away no command comes, and a session that
    /// was never registered is the target of none.
    async fn catch_up(&mut self, start: Option<ResumePoint>) -> Result<(), SessionEnd> {
        let Some(ResumePoint { cursor, missed, lost }) = start else {
            let received_up_to = if self.resume_state.registered { self.socket.received_up_to() } else { u64::MAX };
            self.shard.sockets.release(&self.socket, received_up_to);
            return Ok(());
        };
        if let Some(lost) = lost {
            self.tell_gap(&lost, &cursor);
        }
        for portion in missed.chunks(PORTION) {
            self.send_portion(portion, &cursor.epoch).await?;
        }
        self.shard.sockets.release(&self.socket, cursor.number);
        self.resume_state.cursor = Some(cursor);
        self.resume_state.registered = true;
        Ok(())
    }

    fn tell_gap(&self, lost: &GapReason, now: &Cursor) {
        let Some(from) = self.resume_state.cursor.as_ref().filter(|_| self.socket.protocol() == Protocol::V1) else {
            return;
        };
        let to = match lost {
            GapReason::Trimmed(number) => Cursor { epoch: now.epoch.clone(), number: *number },
            GapReason::Store => now.clone(),
        };
        let gap = Gap { from: from.to_string(), to: to.to_string(), reason: lost.reason().into() };
        self.send_frame(&wire::text(&FromNode::Gap(gap).to_string()));
    }

    /// Sends a portion of what was missed, and waits until the socket has taken it: what was missed can be more than
    /// may wait for one socket.
    async fn send_portion(&mut self, missed: &[MissedCommand], epoch: &str) -> Result<(), SessionEnd> {
        let ids: Vec<_> = missed.iter().map(|missed| missed.command).collect();
        let frames = loop {
            match self.shard.shared.backplane.frames(&self.socket.info.terminal, &ids).await {
                Ok(frames) => break frames,
                Err(_) => self.read_for(AGAIN).await?,
            }
        };
        let partition = self.socket.info.partition;
        for (missed, command) in missed.iter().zip(frames) {
            let Some(command) = command.filter(|command| command.expires_at > Timestamp::now()) else { continue };
            let cursor = Cursor { epoch: epoch.to_owned(), number: missed.number };
            self.shard.sockets.send_missed(&self.socket, &encode(partition, command, &cursor, missed.to_all));
            while !self.socket.is_flushed() {
                self.step().await?;
            }
        }
        self.socket.ended().map_or(Ok(()), Err)
    }

    /// Reads what the terminal sends, for the time `lasting`.
    async fn read_for(&mut self, lasting: Duration) -> Result<(), SessionEnd> {
        let end = Instant::now() + lasting;
        while let Ok(step) = time::timeout_at(end.into(), self.step()).await {
            step?;
        }
        Ok(())
    }
}

/// A will that may be stored, or the size of one that may not, in bytes. The store keeps a will for as long as its session
/// lasts and then as an event, so the bound of events holds for it.
fn bounded(will: Option<Payload>) -> Result<Option<Payload>, usize> {
    match will.as_ref().map_or(0, |will| will.as_json().len()) {
        size if size > EVENT_MAX => Err(size),
        _ => Ok(will),
    }
}
