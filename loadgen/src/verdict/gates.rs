//! Gates: conditions without which nobody can know what was delivered. A run that fails one of them is invalid, however
//! good its numbers are. Whether its times can be trusted is another question: see [`super::times`].

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    generator::GeneratorHealth,
    times::{self, TimeGate},
};
use crate::{
    config::Allowances,
    measure::{FaultKind, Tally},
};

/// The name of the gate that fails if the run was cut short.
pub const COURSE: &str = "course of the run";
/// The name of the gate that fails if the generator may have left messages unread itself.
pub const OWN_LOSSES: &str = "losses while the generator was starved";

/// The name of the gate that fails if a part of the generator did.
pub const GENERATOR: &str = "the generator";
/// The name of the gate that fails if the generator could not send a message.
const UNSENT: &str = "messages that the generator could not send";
/// The name of the gate that fails if a clock is wrong.
const BEFORE_SENT: &str = "came before it was sent";

/// One condition and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The name of the condition.
    pub name: String,
    /// Whether the condition holds, or its failure is excused.
    pub ok: bool,
    /// The value that was found, with its unit.
    pub found: String,
    /// The value that is needed, and the flag that excuses a failure, if one did.
    pub needed: String,
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (needed: {})", self.name, self.found, self.needed)
    }
}

/// Checks every gate against a run. `times` are the gates of its times.
pub fn gates(allowances: Allowances, tally: &Tally, generator: GeneratorHealth, times: &[TimeGate]) -> Vec<Gate> {
    let expected: u64 = tally.ledger.values().map(|account| account.expected).sum();
    let unsent = |gate: Gate| if allowances.allow_unsent { gate.excused("--allow-unsent") } else { gate };
    let short = |gate: Gate| if allowances.allow_shortfall { gate.excused("--allow-shortfall") } else { gate };
    vec![
        Gate::new("ledger", tally.closes(), if tally.closes() { "closed" } else { "open" }, "closed"),
        // A run that was cut short before the first message owes no delivery. The gate `COURSE` alone reports it.
        Gate::new("deliveries owed", expected > 0 || generator.cut_short, expected, "more than none"),
        unsent(Gate::none(UNSENT, tally.messages.unsent)),
        short(Gate::none("terminals never let in", tally.connections.never)),
        short(Gate::none("terminals never answered", tally.connections.unanswered)),
        Gate::none("deliveries to terminals still away at the end", tally.behaved().still_away),
        Gate::none(BEFORE_SENT, tally.count(FaultKind::BeforeSent)),
        own_losses(tally, times),
        Gate::new(GENERATOR, !generator.failed, if generator.failed { "failed" } else { "worked" }, "worked"),
        Gate::new(
            COURSE,
            !generator.cut_short,
            if generator.cut_short { "interrupted" } else { "complete" },
            "complete",
        ),
    ]
}

/// The conditions that can be judged while a run goes on, each with whether it would fail if the run ended now: two gates, and
/// all conditions of trustworthy times. The tally of a run that goes on lacks what the other gates need.
pub fn so_far(tally: &Tally, generator: GeneratorHealth) -> Vec<(String, bool)> {
    let times = times::gates(tally, generator);
    let known = gates(Allowances::default(), tally, generator, &times).into_iter();
    let known = known.filter(|gate| [UNSENT, BEFORE_SENT].contains(&gate.name.as_str()));
    known.map(|gate| (gate.name, !gate.ok)).chain(times.into_iter().map(|gate| (gate.name, !gate.ok))).collect()
}

/// The gate [`OWN_LOSSES`]: a message that was not received counts against the server only if the generator read all the
/// time.
fn own_losses(tally: &Tally, times: &[TimeGate]) -> Gate {
    let lost = tally.count(FaultKind::SilentlyLost);
    let starved = times.iter().find(|gate| gate.starved).map(|gate| format!(": {} {}", gate.name, gate.found));
    let found = if starved.is_some() { lost } else { 0 };
    Gate::new(OWN_LOSSES, found == 0, format!("{found}{}", starved.unwrap_or_default()), "none")
}

impl Gate {
    fn new(name: &str, ok: bool, found: impl fmt::Display, needed: &str) -> Self {
        Self { name: name.into(), ok, found: found.to_string(), needed: needed.into() }
    }

    fn none(name: &str, found: u64) -> Self {
        Self::new(name, found == 0, found, "none")
    }

    /// Makes the gate hold and adds the flag `reason` that excuses it, if it failed. The value that was found still shows.
    fn excused(self, reason: &str) -> Self {
        if self.ok { self } else { Self { ok: true, needed: format!("{}, but {reason}", self.needed), ..self } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::MILLISECOND, measure::sums::Connections, names, verdict::times};

    fn failing(prepare: impl FnOnce(&mut Tally, &mut GeneratorHealth)) -> Vec<String> {
        let mut tally = Tally::default();
        let account = tally.ledger.entry(crate::measure::Cohort::Steady).or_default();
        (account.expected, account.on_time) = (1, 1);
        let messages = &mut tally.messages;
        (messages.planned, messages.sent, messages.accepted, messages.punctual) = (1000, 1000, 1000, 1000);
        let mut generator =
            GeneratorHealth { cpu: 0.5, stalled_ms: 0.0, cut_short: false, failed: false, clock_ms: 0.0 };
        prepare(&mut tally, &mut generator);
        let times = times::gates(&tally, generator);
        let gates = gates(Allowances::default(), &tally, generator, &times);
        gates.into_iter().filter(|gate| !gate.ok).map(|gate| gate.name).collect()
    }

    #[test]
    fn each_gate_fails_for_its_own_reason() {
        assert_eq!(failing(|_, _| {}), Vec::<String>::new());
        assert_eq!(failing(|tally, _| tally.frames.read = 1), ["ledger"]);
        assert_eq!(failing(|tally, _| tally.ledger.clear()), ["deliveries owed"]);
        let connections = |of: fn(&mut Connections) -> &mut u64| {
            failing(|tally, _| {
                tally.connections.planned = 1;
                *of(&mut tally.connections) = 1;
            })
        };
        let unsent = failing(|tally, _| (tally.messages.planned, tally.messages.unsent) = (1001, 1));
        assert_eq!(unsent, ["messages that the generator could not send"]);
        assert_eq!(connections(|count| &mut count.never), ["terminals never let in"]);
        assert_eq!(connections(|count| &mut count.unanswered), ["terminals never answered"]);
        assert_eq!(connections(|count| &mut count.brief), Vec::<String>::new());
        let away = failing(|tally, _| {
            let account = tally.ledger.entry(crate::measure::Cohort::Interrupted).or_default();
            (account.expected, account.still_away) = (1, 1);
        });
        assert_eq!(away, ["deliveries to terminals still away at the end"]);
        assert_eq!(failing(|_, generator| generator.failed = true), ["the generator"]);
        assert_eq!(failing(|_, generator| generator.cut_short = true), ["course of the run"]);
    }

    #[test]
    fn a_busy_machine_fails_no_gate_unless_it_may_have_lost_a_message_itself() {
        let busy = |tally: &mut Tally, generator: &mut GeneratorHealth| {
            tally.latency(names::CANARY).record(3 * MILLISECOND);
            generator.cpu = 0.9;
        };
        assert_eq!(failing(busy), Vec::<String>::new());
        let lossy = |tally: &mut Tally| *tally.faults.entry(FaultKind::SilentlyLost).or_default() = 1;
        assert_eq!(failing(|tally, _| lossy(tally)), Vec::<String>::new(), "the server lost it");
        let both = |tally: &mut Tally, generator: &mut GeneratorHealth| {
            busy(tally, generator);
            lossy(tally);
        };
        assert_eq!(failing(both), [OWN_LOSSES]);
    }
}
