//! The messages that this process sends: when each is due, what it carries, and what the journal says of it.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Nanos,
    config::{Acks, Config, SendBy, ServerKind},
    journal::{Journal, SendOutcome, Sent},
    message::{self, Header, TARGETED},
    plan::{Partition, Plan},
};

/// How long a message waits for its answer; twice the grace if that is longer. After this time its outcome is unknown.
const ANSWER: Duration = Duration::from_secs(30);

/// The messages of one part of a plan. Each is named by its number in the plan.
pub(super) struct OwnMessages {
    pub(super) config: Config,
    pub(super) plan: Arc<Plan>,
    pub(super) partition: Partition,
    pub(super) journal: Arc<Journal>,
}

impl OwnMessages {
    /// Returns the messages of this part with their due times. A closed loop has no schedule: each message is due at
    /// the beginning and is sent as soon as a sender is free.
    pub(super) fn due(&self) -> Vec<(usize, Nanos)> {
        let mine = self.plan.messages.iter().enumerate().filter(|(number, _)| self.partition.has(*number));
        let begin = self.plan.begin;
        mine.map(|(number, message)| (number, if self.config.closed > 0 { begin } else { message.due })).collect()
    }

    /// Returns how long a message waits for its answer.
    pub(super) fn answer_limit(&self) -> Duration {
        ANSWER.max(self.config.grace * 2)
    }

    /// Records that a message is about to be written by a connection of the generator's own, and returns when.
    pub(super) fn begins(&self, message: usize) -> Nanos {
        let at = self.journal.clock.now();
        self.leaves(message, at, 0);
        at
    }

    /// Records that a message is about to be written. The record stays if the run ends before the answer: the server
    /// may deliver the message, and that must not count as a delivery of something that was never sent.
    pub(super) fn leaves(&self, message: usize, at: Nanos, endpoint: usize) {
        let fate = SendOutcome::Unknown("no answer before the end of the run".into());
        self.record(message, Sent { at, answered: Nanos::MAX, fate, endpoint, acked: None, done: None });
    }

    /// Records what became of a message that was written at `at`, or could not be.
    pub(super) fn ends(&self, message: usize, at: Nanos, fate: SendOutcome, endpoint: usize) {
        let answered = self.journal.clock.now();
        self.record(message, Sent { at, answered, fate, endpoint, acked: None, done: None });
    }

    fn record(&self, message: usize, sent: Sent) {
        *self.journal.sent(message) = Some(sent);
    }

    /// Returns what is sent for a message that is written at `at`: a command to Muster's API, or the message in the
    /// settings' template.
    pub(super) fn body(&self, message: usize, at: Nanos) -> String {
        let text = self.text(message, at);
        if self.config.server() == ServerKind::Raw {
            return match &self.config.send.send_by {
                Some(SendBy::Socket(body) | SendBy::Post(_, body) | SendBy::Redis(_, _, body)) => {
                    body.fill(|name| if name == "n" { message.to_string() } else { text.clone() })
                }
                _ => text,
            };
        }
        let (target, confirm) = match self.plan.messages[message].to {
            Some(terminal) => (format!(r#"{{"terminal":"{}"}}"#, self.partition.id(terminal as usize)), "result"),
            None if self.config.acks == Acks::All => (r#"{"all":true}"#.to_owned(), "ack"),
            None => (r#"{"all":true}"#.to_owned(), "none"),
        };
        format!(r#"{{"target":{target},"name":"load","confirm":"{confirm}","payload":"{text}"}}"#)
    }

    fn text(&self, number: usize, at: Nanos) -> String {
        let message = self.plan.messages[number];
        let zero = self.journal.clock.zero();
        let header = Header {
            run: self.partition.run,
            publisher: self.partition.rest as u32,
            seq: number as u64,
            due: zero + message.due,
            sent: zero + at,
            flags: if message.to.is_some() { TARGETED } else { 0 },
        };
        message::encode(&header, self.config.payload)
    }
}
