//! How a session begins, and begins again after the store was lost: it registers, says welcome, makes up for what its terminal has
//! missed, and is released into the live stream. While it does, its socket is held, so that nothing overtakes; and what the
//! terminal says is heard.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster_protocol::{
    Payload,
    api::Protocol,
    frame::{FromNode, Gap, Hello, Welcome},
};
use tokio::time;

use super::member::{EVENT_MAX, Member};
use crate::{
    backplane::{Arrival, Cursor, Joined, Lost, Missed, Start, parcel},
    end::End,
    wire,
};

/// Missed commands fetched together; as many frames at the size limit are 16 MiB, and mostly a few KiB.
const PORTION: usize = 64;
/// A store that is away while a session makes up for what it missed is asked again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// What a session remembers of its beginning, for the next one.
#[derive(Debug, Default)]
pub struct Beginning {
    will: Option<Payload>,
    /// Where its terminal stood; once it is registered, where it stood then.
    cursor: Option<Cursor>,
    registered: bool,
}

impl Member {
    /// Begins, with the hello of a `muster.v1` terminal.
    pub async fn join(&mut self, hello: Option<Hello>) -> Result<(), End> {
        let mut too_large = None;
        if let Some(hello) = hello {
            let cursor = hello.resume.as_deref().and_then(|text| text.parse().ok());
            let will = bounded(hello.will).unwrap_or_else(|size| {
                too_large = Some(size);
                None
            });
            *self.beginning = Beginning { will, cursor, registered: false };
        }
        let start = self.register().await?;
        self.welcome(start.as_ref());
        // After the welcome, which is the first frame of every session.
        if let Some(size) = too_large {
            let message = format!(
                "hello.will: {size} bytes of JSON, at most {EVENT_MAX} are stored; the session goes on without a will"
            );
            self.complain("too_large", message);
        }
        self.go_on(start).await
    }

    /// Begins again: the registry may have forgotten this session, and commands may have passed it by.
    pub async fn rejoin(&mut self) -> Result<(), End> {
        if self.beginning.registered
            && let Some(cursor) = &mut self.beginning.cursor
        {
            cursor.number = self.socket.had();
        }
        let start = self.register().await?;
        self.go_on(start).await
    }

    /// Registers with the backplane; none if the store is away.
    async fn register(&mut self) -> Result<Option<Start>, End> {
        let mut arrival = Arrival {
            card: self.socket.card.clone(),
            will: self.beginning.will.clone(),
            cursor: self.beginning.cursor.clone(),
            again: self.beginning.registered,
            patient: false,
        };
        loop {
            match self.shard.shared.backplane.join(&arrival).await {
                Joined::In(start) => return Ok(Some(start)),
                Joined::Outdated => return Err(End::Replaced),
                Joined::Away => return Ok(None),
                Joined::Fight(delay) => {
                    self.attend(delay).await?;
                    arrival.patient = true;
                }
            }
        }
    }

    fn welcome(&self, start: Option<&Start>) {
        if self.socket.protocol() == Protocol::Plain {
            return;
        }
        let resumed = self.beginning.cursor.is_some() && start.is_some_and(|start| start.lost.is_none());
        let welcome = FromNode::Welcome(Welcome {
            session: self.socket.card.session,
            node: self.shard.shared.backplane.node().clone(),
            time: Timestamp::now(),
            ping_ms: self.shard.shared.config.ping.as_millis() as u64,
            max_message: self.shard.shared.config.max_message as u64,
            resumed,
            cursor: start.map(|start| start.before().to_string()),
        });
        self.say(&wire::text(&welcome.to_string()));
    }

    /// Makes up for what was missed, then takes what comes. With the store away there is nothing to come, and one that was never
    /// registered is the target of nothing.
    async fn go_on(&mut self, start: Option<Start>) -> Result<(), End> {
        let Some(Start { cursor, missed, lost }) = start else {
            let had = if self.beginning.registered { self.socket.had() } else { u64::MAX };
            self.shard.sockets.release(&self.socket, had);
            return Ok(());
        };
        if let Some(lost) = lost {
            self.tell_gap(&lost, &cursor);
        }
        for portion in missed.chunks(PORTION) {
            self.make_up(portion, &cursor.epoch).await?;
        }
        self.shard.sockets.release(&self.socket, cursor.number);
        self.beginning.cursor = Some(cursor);
        self.beginning.registered = true;
        Ok(())
    }

    fn tell_gap(&self, lost: &Lost, now: &Cursor) {
        let Some(from) = self.beginning.cursor.as_ref().filter(|_| self.socket.protocol() == Protocol::V1) else {
            return;
        };
        let to = match lost {
            Lost::Trimmed(number) => Cursor { epoch: now.epoch.clone(), number: *number },
            Lost::Store => now.clone(),
        };
        let gap = Gap { from: from.to_string(), to: to.to_string(), reason: lost.reason().into() };
        self.say(&wire::text(&FromNode::Gap(gap).to_string()));
    }

    /// Sends a portion, and waits until the socket has taken it: what is missed can be more than a socket may owe.
    async fn make_up(&mut self, missed: &[Missed], epoch: &str) -> Result<(), End> {
        let ids: Vec<_> = missed.iter().map(|missed| missed.command).collect();
        let frames = loop {
            match self.shard.shared.backplane.frames(&ids).await {
                Ok(frames) => break frames,
                Err(_) => self.attend(AGAIN).await?,
            }
        };
        for (missed, command) in missed.iter().zip(frames) {
            let Some(command) = command.filter(|command| command.expires_at > Timestamp::now()) else { continue };
            let place = Cursor { epoch: epoch.to_owned(), number: missed.number };
            self.shard.sockets.make_up(&self.socket, &parcel(command, &place, missed.to_all));
            while !self.socket.is_flushed() {
                self.step().await?;
            }
        }
        self.socket.ended().map_or(Ok(()), Err)
    }

    /// Hears the terminal for so long.
    async fn attend(&mut self, lasting: Duration) -> Result<(), End> {
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
