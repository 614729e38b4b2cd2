//! The results that were sent lately. A connection that breaks can lose a result on its way, and no node asks for a
//! lost result. So each session begins by sending the last results once more. A result that had arrived changes nothing
//! when it arrives again.

use std::collections::VecDeque;

use muster_protocol::{
    CommandId, Payload,
    frame::{FromTerminal, NotRun, ResultFrame},
};

use crate::outgoing::Outgoing;

/// How many results are retained; the oldest is dropped first. Their age does not count: nobody may notice a broken
/// link for long.
const RETAINED: usize = 256;

/// The last results, and the results that this session has yet to send.
#[derive(Debug, Default)]
pub(crate) struct ResultOutbox {
    sent: VecDeque<Outgoing>,
    unsent: VecDeque<Outgoing>,
}

impl ResultOutbox {
    /// Makes an outbox with the results from before a restart.
    pub(crate) fn of(results: impl Iterator<Item = Outgoing>) -> Self {
        Self { sent: results.collect(), unsent: VecDeque::new() }
    }

    /// Retains a message that is being sent, if it is a result, in place of an earlier result of the same command.
    pub(crate) fn record(&mut self, outgoing: &Outgoing) {
        let Some((id, _)) = outgoing.as_result() else { return };
        self.sent.retain(|sent| !is_of(sent, id));
        if self.sent.len() == RETAINED {
            self.sent.pop_front();
        }
        self.sent.push_back(outgoing.clone());
    }

    /// Adds the result of a command that was not run because it had expired.
    pub(crate) fn expired(&mut self, id: CommandId) {
        let result = ResultFrame { id, ok: false, reason: Some(NotRun::Expired), payload: Payload::default() };
        self.unsent.push_back(Outgoing::frame(&FromTerminal::Result(result)));
    }

    /// Has the result of a command sent again, since a command that ran before has arrived again. Does nothing if the
    /// result is not retained, or is about to be sent anyway.
    pub(crate) fn repeat(&mut self, id: CommandId) {
        if !self.unsent.iter().any(|unsent| is_of(unsent, id))
            && let Some(result) = self.sent.iter().find(|sent| is_of(sent, id))
        {
            self.unsent.push_back(result.clone());
        }
    }

    /// Begins a session: queues every result that was sent lately, before the results that were not sent yet.
    pub(crate) fn resend(&mut self) {
        let mut all = std::mem::take(&mut self.sent);
        all.append(&mut self.unsent);
        self.unsent = all;
    }

    /// Removes and returns the next result to send. Whoever sends it calls [`record`](Self::record).
    pub(crate) fn next(&mut self) -> Option<Outgoing> {
        self.unsent.pop_front()
    }
}

fn is_of(outgoing: &Outgoing, id: CommandId) -> bool {
    outgoing.as_result().is_some_and(|(of, _)| of == id)
}

#[cfg(test)]
mod tests {
    use muster_protocol::frame::Ack;

    use super::*;

    #[test]
    fn a_result_is_sent_again_in_the_next_session_and_an_ack_is_not() {
        let id: CommandId = "00000000-0000-7000-8000-000000000001".parse().unwrap();
        let result = ResultFrame { id, ok: true, reason: None, payload: Payload::default() };
        let result = Outgoing::frame(&FromTerminal::Result(result));
        let mut outbox = ResultOutbox::default();
        outbox.record(&result);
        outbox.record(&Outgoing::frame(&FromTerminal::Ack(Ack { id })));
        assert_eq!(outbox.next(), None);
        outbox.resend();
        assert_eq!((outbox.next(), outbox.next()), (Some(result), None));
    }
}
