//! The longest time in which a terminal received nothing while its plan had it connected and messages were due.

use crate::{
    clock::Nanos,
    plan::{Plan, Stay},
};

/// What a terminal received in one stay.
#[derive(Debug, Default, Clone, Copy)]
struct Heard {
    first: Nanos,
    last: Nanos,
    /// The longest time between two messages.
    longest: Nanos,
}

/// What a terminal received, stay by stay.
#[derive(Debug, Default)]
pub struct Silence {
    stays: Vec<Option<Heard>>,
    /// The number of the stay of the last message.
    stay: usize,
}

impl Silence {
    /// Adds a message that arrived at `at`. Messages must be added in the order of time. A message outside of a stay,
    /// or of the time in which messages are due, says nothing.
    pub fn heard(&mut self, plan: &Plan, stays: &[Stay], at: Nanos) {
        if !(plan.begin..plan.end).contains(&at) {
            return;
        }
        while stays.get(self.stay).is_some_and(|stay| stay.to <= at) {
            self.stay += 1;
        }
        if stays.get(self.stay).is_none_or(|stay| at < stay.from) {
            return;
        }
        self.stays.resize(self.stays.len().max(self.stay + 1), None);
        let heard = self.stays[self.stay].get_or_insert(Heard { first: at, last: at, longest: 0 });
        heard.longest = heard.longest.max(at.saturating_sub(heard.last));
        heard.last = heard.last.max(at);
    }

    /// Returns the longest silence in the times `up` in which the plan had the terminal connected, until `now`.
    pub fn longest(&self, plan: &Plan, stays: &[Stay], up: &[(Nanos, Nanos)], now: Nanos) -> Nanos {
        let mut longest = 0;
        for (from, to) in up {
            let mut before = (*from).max(plan.begin);
            let within = stays.iter().zip(&self.stays).filter(|(stay, _)| from < &stay.to && stay.to <= *to);
            for heard in within.filter_map(|(_, heard)| heard.as_ref()) {
                longest = longest.max(heard.first.saturating_sub(before)).max(heard.longest);
                before = before.max(heard.last);
            }
            longest = longest.max((*to).min(plan.end).min(now).saturating_sub(before));
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Leave, tests::config};

    #[test]
    fn only_silence_within_a_stay_counts() {
        let mut plan = Plan::new(&config("--terminals 1"), 1);
        (plan.begin, plan.end) = (10, 100);
        let stays = [(0, 40), (60, 200)].map(|(from, to)| Stay { from, to, leave: Leave::Close });
        let mut silence = Silence::default();
        [5, 12, 20, 50, 65, 150].into_iter().for_each(|at| silence.heard(&plan, &stays, at));
        assert_eq!(silence.longest(&plan, &stays, &[(0, 40), (60, 200)], 300), 35, "from 65 to the last message");
        assert_eq!(silence.longest(&plan, &stays, &[(0, 40), (60, 200)], 70), 20, "from 20 to the end of the stay");
        assert_eq!(silence.longest(&plan, &stays, &[(0, 200)], 70), 45, "the stays are joined");
    }
}
