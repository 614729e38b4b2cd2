//! Sends a terminal the commands that it missed. The machine fetches them in portions, and sends a frame once the
//! socket has taken the frame before: all of them together can be more than may wait for one socket.

use std::{
    time::{Duration, Instant},
    vec,
};

use muster_protocol::{CommandId, frame::Command};

use super::{Action, InputContext, Machine, MissedFrame, State};
use crate::{
    backplane::{Cursor, MissedCommand, ResumePoint},
    end::SessionEnd,
};

/// The most missed commands whose frames are fetched together.
const PORTION: usize = 64;
/// The number of commands in the first portion, while the size of frames is unknown. A later portion has as many frames
/// of the largest size so far as fit into `--queue`, so that a node holds no more than that for a terminal that does
/// not read. Most frames are small, so the second portion mostly has `PORTION` commands.
const FIRST_PORTION: usize = 8;
/// The time between two tries to fetch frames while the store is away.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the store may take to answer. After that the machine gives the call up, and asks again after [`AGAIN`].
pub const FETCH_TIME: Duration = Duration::from_secs(30);
/// How many ping intervals a terminal may take to make room for one frame. After that the session ends as too slow.
pub const FLUSH_PINGS: u32 = 4;

/// How far a session has caught up.
#[derive(Debug)]
pub struct CatchUp {
    /// The cursor that the session will have once everything was sent.
    cursor: Cursor,
    /// The missed commands that the machine has not asked for yet.
    missed: vec::IntoIter<MissedCommand>,
    /// The missed commands that the machine has asked for.
    portion: vec::IntoIter<MissedCommand>,
    /// The frames of `portion`.
    frames: vec::IntoIter<Option<Command>>,
    /// The size in bytes of the largest frame so far.
    largest: usize,
    waits: Waits,
}

/// What a session that catches up waits for.
#[derive(Debug)]
enum Waits {
    /// The answer of the store.
    Frames { deadline: Instant },
    /// The next try.
    Again { at: Instant },
    /// The socket.
    Flush { deadline: Instant },
}

impl CatchUp {
    /// Returns when the machine wants to be told the time.
    pub fn wake_at(&self) -> Instant {
        match self.waits {
            Waits::Frames { deadline: at } | Waits::Again { at } | Waits::Flush { deadline: at } => at,
        }
    }

    /// Returns whether the store was asked and has not answered.
    pub fn awaits_frames(&self) -> bool {
        matches!(self.waits, Waits::Frames { .. })
    }

    /// Returns whether a frame was sent that the socket may not have taken.
    pub fn awaits_flush(&self) -> bool {
        matches!(self.waits, Waits::Flush { .. })
    }

    fn next_portion(&mut self, queue: usize) {
        let count = match self.largest {
            0 => FIRST_PORTION,
            largest => (queue / largest).clamp(1, PORTION),
        };
        self.portion = self.missed.by_ref().take(count).collect::<Vec<_>>().into_iter();
    }

    fn ask(&mut self, context: &mut InputContext<'_>) {
        let ids: Vec<CommandId> = self.portion.as_slice().iter().map(|missed| missed.command).collect();
        context.push(Action::Fetch(ids));
        self.waits = Waits::Frames { deadline: context.now.instant + FETCH_TIME };
    }

    /// Returns the next command of the portion that is to be sent; none at the end of the portion. Skips commands that
    /// are not stored any more, and commands that have expired.
    fn next_frame(&mut self, context: &InputContext<'_>) -> Option<MissedFrame> {
        for (missed, command) in self.portion.by_ref().zip(self.frames.by_ref()) {
            let Some(command) = command.filter(|command| command.expires_at > context.now.time) else { continue };
            self.largest = self.largest.max(command.payload.as_json().len() + command.name.len());
            let cursor = Cursor { epoch: self.cursor.epoch.clone(), number: missed.number };
            return Some(MissedFrame { command, cursor, to_all: missed.to_all });
        }
        None
    }
}

impl Machine {
    /// Begins to send what was missed up to `point`.
    pub(super) fn catch_up(&mut self, point: ResumePoint, context: &mut InputContext<'_>) {
        let missed = point.missed.into_iter();
        let (portion, frames) = Default::default();
        let waits = Waits::Flush { deadline: context.now.instant };
        let catch_up = CatchUp { cursor: point.cursor, missed, portion, frames, largest: 0, waits };
        self.state = State::CatchingUp(Box::new(catch_up));
        self.send_next(context);
    }

    pub(super) fn fetched(&mut self, frames: Option<Vec<Option<Command>>>, context: &mut InputContext<'_>) {
        let State::CatchingUp(catch_up) = &mut self.state else { return };
        if !catch_up.awaits_frames() {
            return;
        }
        match frames {
            Some(frames) => {
                catch_up.frames = frames.into_iter();
                self.send_next(context);
            }
            None => catch_up.waits = Waits::Again { at: context.now.instant + AGAIN },
        }
    }

    pub(super) fn frame_taken(&mut self, context: &mut InputContext<'_>) {
        if let State::CatchingUp(catch_up) = &self.state
            && catch_up.awaits_flush()
        {
            self.send_next(context);
        }
    }

    pub(super) fn wake_catching_up(&mut self, context: &mut InputContext<'_>) {
        let State::CatchingUp(catch_up) = &mut self.state else { return };
        if context.now.instant < catch_up.wake_at() {
            return;
        }
        match catch_up.waits {
            Waits::Frames { .. } => {
                context.push(Action::Abandon);
                catch_up.waits = Waits::Again { at: context.now.instant + AGAIN };
            }
            Waits::Again { .. } => catch_up.ask(context),
            Waits::Flush { .. } => self.end(SessionEnd::TooSlow, None, context),
        }
    }

    /// Sends the next frame, or fetches the next portion. Releases the session if nothing is left.
    fn send_next(&mut self, context: &mut InputContext<'_>) {
        let State::CatchingUp(catch_up) = &mut self.state else { return };
        if let Some(frame) = catch_up.next_frame(context) {
            context.push(Action::SendMissed(Box::new(frame)));
            catch_up.waits = Waits::Flush { deadline: context.now.instant + context.settings.ping * FLUSH_PINGS };
            return;
        }
        catch_up.next_portion(context.settings.queue);
        if catch_up.portion.as_slice().is_empty() {
            let cursor = catch_up.cursor.clone();
            return self.release(cursor, context);
        }
        catch_up.ask(context);
    }
}
