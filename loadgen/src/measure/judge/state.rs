//! What the judge remembers of a terminal from one look to the next.

use std::collections::{BTreeMap, HashSet};

use crate::{
    clock::Nanos,
    journal::Received,
    measure::{bits::Bits, sequence::SequenceCheck, silence::Silence},
    plan::Plan,
};

/// How many copies of one terminal are remembered, besides the first copy of each message.
const COPIES: usize = 1024;

/// The first arrival of a message at a terminal.
#[derive(Debug, Clone, Copy)]
pub(super) struct FirstArrival {
    pub(super) received: Received,
    /// Whether the message came in a binary frame.
    pub(super) binary: bool,
}

/// What is remembered of one terminal.
#[derive(Debug, Default)]
pub(super) struct JudgedTerminal {
    /// The broadcasts that arrived, by their place among all broadcasts.
    broadcasts: Bits,
    /// First arrivals whose window has not closed.
    pub(super) firsts: Vec<FirstArrival>,
    /// How many messages of the plan were checked for being overdue.
    pub(super) looked: usize,
    /// Copies other than the first of a message.
    copies: HashSet<(u32, u32)>,
    /// The order of all frames, and of first arrivals: of broadcasts, and of messages to this terminal alone.
    pub(super) wire: [SequenceCheck; 2],
    pub(super) app: [SequenceCheck; 2],
    pub(super) silence: Silence,
    /// When the last message arrived that was missed after a lost session, by the number of that session.
    pub(super) caught_up: BTreeMap<usize, Nanos>,
}

/// What is remembered of messages, whichever terminal received them.
#[derive(Debug)]
pub(super) struct SeenMessages {
    /// The place of each message among the broadcasts. `None` for a message to one terminal.
    places: Vec<Option<u32>>,
    /// The messages to one terminal that arrived there.
    commands: Bits,
    /// The copy of each message that arrived first at the terminal that was judged first; 0 before.
    copies: Vec<u32>,
}

impl SeenMessages {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut broadcasts = 0..;
        let place = |to: Option<u32>| if to.is_none() { broadcasts.next() } else { None };
        let places = plan.messages.iter().map(|message| message.to).map(place).collect();
        Self { places, commands: Bits::new(plan.messages.len()), copies: vec![0; plan.messages.len()] }
    }

    /// Returns an empty state of a terminal.
    pub(super) fn state(&self) -> JudgedTerminal {
        let broadcasts = self.places.iter().flatten().count();
        JudgedTerminal { broadcasts: Bits::new(broadcasts), ..JudgedTerminal::default() }
    }

    /// Returns whether the message arrived at the terminal. For a message to one terminal, only that terminal may be
    /// asked about.
    pub(super) fn has(&self, state: &JudgedTerminal, message: usize) -> bool {
        match self.places[message] {
            Some(place) => state.broadcasts.has(place as usize),
            None => self.commands.has(message),
        }
    }

    /// Remembers that the message arrived at the terminal.
    pub(super) fn add(&mut self, state: &mut JudgedTerminal, first: FirstArrival) {
        let message = first.received.message as usize;
        match self.places[message] {
            Some(place) => state.broadcasts.add(place as usize),
            None => self.commands.add(message),
        }
        state.firsts.push(first);
    }

    /// Remembers the copy of a message whose window has closed.
    pub(super) fn close(&mut self, received: Received) {
        let copy = &mut self.copies[received.message as usize];
        if *copy == 0 {
            *copy = received.copy;
        }
    }

    /// Returns whether this copy of a message arrived before: a client that remembers ids knows that.
    ///
    /// For a message whose window has closed, the id that another terminal received stands for this terminal's: a
    /// server sends a message to all under one id.
    pub(super) fn again(&self, state: &mut JudgedTerminal, Received { message, copy, .. }: Received) -> bool {
        let open = state.firsts.iter().map(|first| first.received).find(|first| first.message == message);
        if open.map_or(self.copies[message as usize], |first| first.copy) == copy {
            return true;
        }
        if state.copies.len() == COPIES {
            return state.copies.contains(&(message, copy));
        }
        !state.copies.insert((message, copy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    #[test]
    fn a_late_duplicate_is_known_as_one_after_its_window_has_closed() {
        let plan = Plan::new(&config("--terminals 2 --broadcasts 5 --for 2s"), 1);
        let mut seen = SeenMessages::new(&plan);
        let mut state = seen.state();
        let received = |copy| Received { message: 3, copy, at: 7 };
        seen.add(&mut state, FirstArrival { received: received(5), binary: false });
        assert!(seen.has(&state, 3) && !seen.has(&state, 4));
        assert!(seen.again(&mut state, received(5)) && !seen.again(&mut state, received(6)));
        state.firsts.clear();
        seen.close(received(5));
        assert!(seen.has(&state, 3) && seen.again(&mut state, received(5)) && seen.again(&mut state, received(6)));
        assert!(!seen.again(&mut state, received(8)));
    }
}
