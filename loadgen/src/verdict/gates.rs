//! Gates: conditions without which the numbers of a run mean nothing. A generator that was late, short of CPU or
//! idle measured itself and not the server.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    config::Allowances,
    measure::{FaultKind, Latency, Tally},
    names,
};

/// The limit for the 99th percentile of the canary's delay, in milliseconds. A larger delay means that the machine
/// has no CPU to spare.
const CANARY_MS: f64 = 2.0;
/// The limit for the 99th percentile of the generator's own delay, in milliseconds. A tenth of the server's p99 is
/// the limit instead if that is larger.
const LAG_MS: f64 = 1.0;
/// The limit for the share of its threads' time that the generator uses.
const CPU: f64 = 0.85;
/// The least share of the due messages that must have been sent in time.
const ACHIEVED: f64 = 0.99;

const SCHEDULE_LAG: &str = "schedule lag p99";
const CANARY_OVERSHOOT: &str = "canary overshoot p99";
const ACHIEVED_SHARE: &str = "achieved / offered";
const GENERATOR_CPU: &str = "generator's CPU";
/// The names of the gates that fail if the generator did not get enough CPU. It may then have left messages unread, and
/// can't know that the server lost them.
pub const STARVED: [&str; 4] = [SCHEDULE_LAG, CANARY_OVERSHOOT, ACHIEVED_SHARE, GENERATOR_CPU];

/// The name of the gate that fails if the run was cut short.
pub const COURSE: &str = "course of the run";

/// One condition and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The name of the condition.
    pub name: String,
    /// Whether the condition holds, or its failure is excused.
    pub ok: bool,
    /// The value that was found, with its unit.
    pub found: String,
    /// The value that is needed, and the flag that allowances a failure, if one did.
    pub needed: String,
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (needed: {})", self.name, self.found, self.needed)
    }
}

/// The facts about the generator that the gates check besides the tally.
#[derive(Debug, Clone, Copy)]
pub struct GeneratorHealth {
    /// The share of its threads' time that the generator used, from 0 to 1.
    pub cpu: f64,
    /// Whether the run was interrupted.
    pub cut_short: bool,
    /// True if a task of the generator failed: one of a terminal, of the sending of messages, or of a report.
    pub failed: bool,
    /// The largest difference between the clocks of several hosts, in milliseconds.
    pub clock_ms: f64,
}

/// Checks every gate against a run.
pub fn gates(allowances: Allowances, tally: &Tally, generator: GeneratorHealth) -> Vec<Gate> {
    let p99 = |name: &str| tally.latencies.get(name).map_or(0.0, p99);
    let service = p99(names::SERVICE);
    let lag_limit = if service.is_finite() { LAG_MS.max(service / 10.0) } else { LAG_MS };
    let expected: u64 = tally.ledger.values().map(|account| account.expected).sum();
    let achieved = tally.messages.punctual as f64 / tally.messages.planned.max(1) as f64;
    let never = tally.connections.never;
    let short = |gate: Gate| if allowances.allow_shortfall { gate.excused("--allow-shortfall") } else { gate };
    let busy = |gate: Gate| if allowances.allow_busy { gate.excused("--allow-busy") } else { gate };
    let gate = |name: &str, ok, found: String, needed: String| Gate { name: name.into(), ok, found, needed };
    vec![
        gate("ledger", tally.closes(), if tally.closes() { "closed" } else { "open" }.into(), "closed".into()),
        // A run that was cut short before the first message owes no delivery. The gate `COURSE` alone reports it.
        gate("deliveries owed", expected > 0 || generator.cut_short, expected.to_string(), "more than none".into()),
        busy(at_most(SCHEDULE_LAG, p99(names::LAG), lag_limit, "ms")),
        busy(at_most(CANARY_OVERSHOOT, p99(names::CANARY), CANARY_MS, "ms")),
        busy(gate(ACHIEVED_SHARE, achieved >= ACHIEVED, format!("{:.2} %", achieved * 100.0), "99 %".into())),
        busy(at_most(GENERATOR_CPU, generator.cpu * 100.0, CPU * 100.0, "%")),
        at_most("messages that the generator could not send", tally.messages.unsent as f64, 0.0, ""),
        short(gate("terminals never let in", never == 0, never.to_string(), "none".into())),
        at_most("came before it was sent", tally.count(FaultKind::BeforeSent) as f64, 0.0, ""),
        at_most("clocks apart", generator.clock_ms, (service / 10.0).max(LAG_MS), "ms"),
        gate(
            "the generator",
            !generator.failed,
            if generator.failed { "failed" } else { "worked" }.into(),
            "worked".into(),
        ),
        gate(
            COURSE,
            !generator.cut_short,
            if generator.cut_short { "interrupted" } else { "complete" }.into(),
            "complete".into(),
        ),
    ]
}

impl Gate {
    /// Makes the gate hold and adds the flag `reason` that allowances it, if it failed. The value that was found still
    /// shows.
    fn excused(self, reason: &str) -> Self {
        if self.ok { self } else { Self { ok: true, needed: format!("{}, but {reason}", self.needed), ..self } }
    }
}

fn at_most(name: &str, found: f64, limit: f64, unit: &str) -> Gate {
    let number = |value: f64| format!("{value:.2} {unit}").trim_end().to_owned();
    Gate { name: name.into(), ok: found <= limit, found: number(found), needed: format!("at most {}", number(limit)) }
}

fn p99(latency: &Latency) -> f64 {
    if latency.count() == 0 { 0.0 } else { latency.at(0.99).milliseconds() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;

    fn failing(prepare: impl FnOnce(&mut Tally, &mut GeneratorHealth)) -> Vec<String> {
        let mut tally = Tally::default();
        let account = tally.ledger.entry(crate::measure::Cohort::Steady).or_default();
        (account.expected, account.on_time) = (1, 1);
        (tally.messages.planned, tally.messages.punctual) = (1000, 1000);
        let mut generator = GeneratorHealth { cpu: 0.5, cut_short: false, failed: false, clock_ms: 0.0 };
        prepare(&mut tally, &mut generator);
        let gates = gates(Allowances::default(), &tally, generator);
        gates.into_iter().filter(|gate| !gate.ok).map(|gate| gate.name).collect()
    }

    #[test]
    fn each_gate_fails_for_its_own_reason() {
        assert_eq!(failing(|_, _| {}), Vec::<String>::new());
        assert_eq!(failing(|tally, _| tally.frames.read = 1), ["ledger"]);
        assert_eq!(failing(|tally, _| tally.ledger.clear()), ["deliveries owed"]);
        assert_eq!(failing(|tally, _| tally.latency(names::LAG).record(2 * MILLISECOND)), ["schedule lag p99"]);
        assert_eq!(failing(|tally, _| tally.latency(names::CANARY).record(3 * MILLISECOND)), ["canary overshoot p99"]);
        assert_eq!(failing(|tally, _| tally.messages.punctual = 989), ["achieved / offered"]);
        assert_eq!(failing(|_, generator| generator.cpu = 0.9), ["generator's CPU"]);
        assert_eq!(failing(|tally, _| tally.messages.unsent = 1), ["messages that the generator could not send"]);
        assert_eq!(failing(|tally, _| tally.connections.never = 1), ["terminals never let in"]);
        assert_eq!(failing(|_, generator| generator.failed = true), ["the generator"]);
        assert_eq!(failing(|_, generator| generator.cut_short = true), ["course of the run"]);
    }

    #[test]
    fn a_busy_machine_can_be_excused_and_nothing_else() {
        let mut tally = Tally::default();
        tally.latency(names::CANARY).record(3 * MILLISECOND);
        let generator = GeneratorHealth { cpu: 0.9, cut_short: true, failed: false, clock_ms: 0.0 };
        let gates = gates(Allowances { allow_busy: true, ..Allowances::default() }, &tally, generator);
        let failing: Vec<_> = gates.iter().filter(|gate| !gate.ok).map(|gate| gate.name.as_str()).collect();
        assert_eq!(failing, ["course of the run"]);
    }

    #[test]
    fn a_slow_server_excuses_a_lag_of_a_tenth_of_its_time() {
        let slow = |tally: &mut Tally, _: &mut GeneratorHealth| {
            tally.latency(names::SERVICE).record(100 * MILLISECOND);
            tally.latency(names::LAG).record(9 * MILLISECOND);
        };
        assert_eq!(failing(slow), Vec::<String>::new());
    }
}
