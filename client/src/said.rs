//! How commands ended, as the terminal said it lately. A session that breaks may take such a frame with it, and nobody would ever
//! ask for it again: so the next session says it again, which changes nothing where it had arrived.

use std::collections::VecDeque;

use muster_protocol::{
    CommandId, Payload,
    frame::{FromTerminal, NotRun, Outcome},
};

use crate::order::Order;

/// So many results are kept. Not by time: a link can be dead for long before anyone notices.
const KEPT: usize = 256;

/// The last results, and those that are still to be said.
#[derive(Debug, Default)]
pub(crate) struct Said {
    lately: VecDeque<Outcome>,
    unsaid: VecDeque<Outcome>,
}

impl Said {
    /// The program says something; if it is how a command ended, it is kept.
    pub(crate) fn note(&mut self, order: &Order) {
        if let Order::Frame(FromTerminal::Result(outcome)) = order {
            self.keep(outcome.clone());
        }
    }

    /// A command came too late: that is to be said.
    pub(crate) fn expired(&mut self, id: CommandId) {
        self.unsaid.push_back(Outcome { id, ok: false, reason: Some(NotRun::Expired), payload: Payload::default() });
    }

    /// All that was said lately is to be said again.
    pub(crate) fn say_again(&mut self) {
        let lately = std::mem::take(&mut self.lately);
        let unsaid = std::mem::take(&mut self.unsaid);
        self.unsaid = lately.into_iter().chain(unsaid).collect();
    }

    /// The next frame to say.
    pub(crate) fn next(&mut self) -> Option<FromTerminal> {
        let outcome = self.unsaid.pop_front()?;
        self.keep(outcome.clone());
        Some(FromTerminal::Result(outcome))
    }

    fn keep(&mut self, outcome: Outcome) {
        if self.lately.len() == KEPT {
            self.lately.pop_front();
        }
        self.lately.push_back(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_said_again_in_the_next_session_and_an_ack_is_not() {
        let id: CommandId = "00000000-0000-7000-8000-000000000001".parse().unwrap();
        let outcome = Outcome { id, ok: true, reason: None, payload: Payload::default() };
        let mut said = Said::default();
        said.note(&Order::Frame(FromTerminal::Result(outcome.clone())));
        said.note(&Order::Frame(FromTerminal::Ack(muster_protocol::frame::Ack { id })));
        assert_eq!(said.next(), None);
        said.say_again();
        assert_eq!((said.next(), said.next()), (Some(FromTerminal::Result(outcome)), None));
    }
}
