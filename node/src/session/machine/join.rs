//! How a session joins: it registers, sends the welcome, sends what its terminal missed, and is released into the live
//! stream. A session joins again after the store was lost. While a session joins its socket is held, so that no command
//! overtakes another, and the node goes on reading what the terminal sends.

use std::{num::NonZeroUsize, time::Duration};

use muster_protocol::{
    Payload, SessionId,
    api::Protocol,
    frame::{EVENT_MAX, FromNode, Gap, TOO_LARGE, Welcome},
};

use super::{Action, InputContext, JoinCall, Machine, State};
use crate::{
    backplane::{Cursor, GapReason, JoinOutcome, ResumePoint},
    wire,
};

/// How long the backplane may take to register a session. A call to the store returns within seconds, also while the
/// store is away. But a node registers a bounded number of sessions at a time: when all of them join again, each waits
/// for its turn, for a minute or more in a large fleet. Without an answer after this time nobody knows whether the
/// session is registered, so the session ends and its terminal comes back.
pub const JOIN_TIME: Duration = Duration::from_secs(300);

/// What a session remembers of its registration, for the next one.
#[derive(Debug)]
pub struct Registration {
    /// The id of the session.
    pub session: SessionId,
    will: Option<Payload>,
    /// The size in bytes of a will that is too large to be stored. The node tells the terminal after the welcome.
    refused_will: Option<NonZeroUsize>,
    /// The cursor that the terminal resumed from; once the session is registered, the cursor of that registration.
    cursor: Option<Cursor>,
    registered: bool,
    /// The sequence number up to which the session had received everything when it began to join again.
    received_up_to: u64,
    /// The last second in which the session's token is valid, since 1970; none if the session does not expire.
    pub expires: Option<u64>,
}

impl Registration {
    /// Returns the registration of a session that was never registered.
    pub fn new(session: SessionId, expires: Option<u64>) -> Self {
        let (will, refused_will, cursor) = (None, None, None);
        Self { session, will, refused_will, cursor, registered: false, received_up_to: 0, expires }
    }

    /// Takes over what the hello says. A will may be as large as an event, since the store keeps the will during the
    /// session and may publish it as an event. A cursor that can't be parsed counts as none.
    pub fn remember(&mut self, resume: Option<&str>, will: Option<Payload>) {
        self.cursor = resume.and_then(|text| text.parse().ok());
        match will.as_ref().map_or(0, |will| will.as_json().len()) {
            size if size > EVENT_MAX => self.refused_will = NonZeroUsize::new(size),
            _ => self.will = will,
        }
    }
}

impl Machine {
    pub(super) fn register(&mut self, patient: bool, context: &mut InputContext<'_>) {
        let Registration { will, cursor, registered, .. } = &*self.registration;
        let call = JoinCall { will: will.clone(), cursor: cursor.clone(), again: *registered, patient };
        context.push(Action::Join(Box::new(call)));
        self.state = State::Registering { deadline: context.now.instant + JOIN_TIME };
    }

    /// Joins again: the registry may have lost this session, and commands may have passed the session by.
    pub(super) fn rejoin(&mut self, received_up_to: u64, context: &mut InputContext<'_>) {
        if !self.is_live() {
            return;
        }
        let registration = &mut *self.registration;
        registration.received_up_to = received_up_to;
        if registration.registered
            && let Some(cursor) = &mut registration.cursor
        {
            cursor.number = received_up_to;
        }
        self.register(false, context);
    }

    pub(super) fn joined(&mut self, outcome: JoinOutcome, context: &mut InputContext<'_>) {
        let State::Registering { .. } = self.state else { return };
        match outcome {
            JoinOutcome::In(point) => self.go_on(Some(point), context),
            JoinOutcome::Away => self.go_on(None, context),
            JoinOutcome::Ended(end) => self.end(end, None, context),
            JoinOutcome::Contested(delay) => self.state = State::Contested { until: context.now.instant + delay },
        }
    }

    /// Goes on from `point`, where the terminal stopped; without anything to catch up if the store is away.
    fn go_on(&mut self, point: Option<ResumePoint>, context: &mut InputContext<'_>) {
        let is_first = !std::mem::replace(&mut self.has_joined, true);
        if is_first && self.protocol == Protocol::V1 {
            self.welcome(point.as_ref(), context);
        }
        match point {
            Some(point) => {
                if let Some(lost) = &point.lost {
                    self.tell_gap(lost, &point.cursor, context);
                }
                self.catch_up(point, context);
            }
            None => self.go_on_without_store(context),
        }
        if is_first {
            self.take_waiting(context);
        }
    }

    fn welcome(&mut self, point: Option<&ResumePoint>, context: &mut InputContext<'_>) {
        let resumed = self.registration.cursor.is_some() && point.is_some_and(|point| point.lost.is_none());
        let welcome = FromNode::Welcome(Welcome {
            session: self.registration.session,
            node: context.settings.node.clone(),
            time: context.now.time,
            ping_ms: context.settings.ping.as_millis() as u64,
            max_message: context.settings.decoder.max_message as u64,
            resumed,
            cursor: point.map(|point| point.before().to_string()),
        });
        context.push(Action::Send(wire::text(&welcome.to_string())));
        // This error follows the welcome because the welcome is the first frame of every session.
        if let Some(size) = self.registration.refused_will.take() {
            let message = format!(
                "hello.will: {size} bytes of JSON, at most {EVENT_MAX} are stored; the session goes on without a will"
            );
            self.send_error(TOO_LARGE, message, context);
        }
    }

    /// Releases the session without catching up. A session that was never registered is the target of no command, so it
    /// counts as having received everything.
    fn go_on_without_store(&mut self, context: &mut InputContext<'_>) {
        let registration = &*self.registration;
        let received_up_to = if registration.registered { registration.received_up_to } else { u64::MAX };
        context.push(Action::Release(received_up_to));
        self.state = State::Live;
    }

    /// Releases the session into the live stream, once everything that it missed up to `cursor` was sent.
    pub(super) fn release(&mut self, cursor: Cursor, context: &mut InputContext<'_>) {
        context.push(Action::Release(cursor.number));
        self.registration.cursor = Some(cursor);
        self.registration.registered = true;
        self.state = State::Live;
    }

    fn tell_gap(&self, lost: &GapReason, now: &Cursor, context: &mut InputContext<'_>) {
        let Some(from) = self.registration.cursor.as_ref().filter(|_| self.protocol == Protocol::V1) else { return };
        let to = match lost {
            GapReason::Trimmed(number) => Cursor { epoch: now.epoch.clone(), number: *number },
            GapReason::Store => now.clone(),
        };
        let gap = Gap { from: from.to_string(), to: to.to_string(), reason: lost.reason().into() };
        context.push(Action::Send(wire::text(&FromNode::Gap(gap).to_string())));
    }
}
