//! Whether the times of a run can be trusted. A generator that was late or short of CPU measured itself and not the
//! server: what was delivered is known all the same, but not how long it took.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::generator::GeneratorHealth;
use crate::{
    measure::{Latency, Tally},
    names::{self, ACK, COMMAND, LAST, LATENCIES, LIVE, REPLAY, RESULT, SERVICE},
};

/// The limit for the 99th percentile of the canary's delay, in milliseconds. A larger delay means that the machine
/// has no CPU to spare.
const CANARY_MS: f64 = 2.0;
/// The limit for the 99th percentile of the generator's own delay, in milliseconds. A tenth of the server's p99 is
/// the limit instead if that is larger.
const LAG_MS: f64 = 1.0;
/// The limit for the share of its threads' time that the generator uses, in percent.
const CPU: f64 = 85.0;
/// The least share of the due messages that must have been sent in time, in percent.
const ACHIEVED: f64 = 99.0;
/// A thread of the generator that was woken this late was starved, in milliseconds: terminals may have read so late that
/// the server dropped messages.
const STARVED_MS: f64 = 1000.0;

const FREE_THE_MACHINE: &str =
    "give the generator a machine of its own, or the priority of a real-time process (chrt --rr 1)";

/// One condition of trustworthy times, and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimeGate {
    /// The name of the condition.
    pub name: String,
    /// Whether the condition holds.
    pub ok: bool,
    /// The value that was found, with its unit.
    pub found: String,
    /// The value that is needed.
    pub needed: String,
    /// The times that are not to be trusted if it does not hold.
    pub figures: Vec<String>,
    /// What to do if it does not hold.
    pub remedy: String,
    /// Whether the generator was so short of CPU that it may have left messages unread.
    pub starved: bool,
}

/// Shows which figures are not to be trusted, why, and what to do.
impl fmt::Display for TimeGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, found, needed, figures, remedy, .. } = self;
        write!(f, "{}: {name} {found} (needed: {needed}): {remedy}", figures.join(", "))
    }
}

/// Checks the conditions of trustworthy times against a run.
pub fn gates(tally: &Tally, generator: GeneratorHealth) -> Vec<TimeGate> {
    let p99 = |name: &str| tally.latencies.get(name).map_or(0.0, p99);
    let (service, lag, canary) = (p99(SERVICE), p99(names::LAG), p99(names::CANARY));
    let tenth = if service.is_finite() { LAG_MS.max(service / 10.0) } else { LAG_MS };
    let (punctual, planned) = (tally.messages.punctual as f64, tally.messages.planned as f64);
    let achieved = if planned == 0.0 { 100.0 } else { 100.0 * punctual / planned };
    let from_due = [LIVE, REPLAY, LAST, COMMAND, ACK, RESULT];
    let across_hosts = [LIVE, SERVICE, REPLAY, LAST, COMMAND];
    let measured = LATENCIES.iter().copied().filter(|name| ![names::LAG, names::CANARY].contains(name));
    let measured: Vec<&str> = measured.collect();
    vec![
        at_most("schedule lag p99", lag, tenth, "ms").starved(lag > STARVED_MS).spoils(&from_due, FREE_THE_MACHINE),
        at_most("canary overshoot p99", canary, CANARY_MS, "ms")
            .starved(canary > STARVED_MS)
            .spoils(&measured, FREE_THE_MACHINE),
        TimeGate {
            ok: achieved >= ACHIEVED,
            needed: format!("{ACHIEVED} %"),
            ..at_most("achieved / offered", achieved, 0.0, "%")
        }
        .starved(achieved < ACHIEVED)
        .spoils(&from_due, "ask for fewer messages a second, or use several generators (muster-loadgen coordinate)"),
        at_most("generator's CPU", generator.cpu * 100.0, CPU, "%")
            .starved(generator.cpu * 100.0 > CPU)
            .spoils(&measured, "play fewer terminals, or use several generators (muster-loadgen coordinate)"),
        at_most("longest stall of the terminals", generator.stalled_ms, STARVED_MS, "ms")
            .starved(generator.stalled_ms > STARVED_MS)
            .spoils(&measured, FREE_THE_MACHINE),
        at_most("clocks apart", generator.clock_ms, tenth, "ms")
            .spoils(&across_hosts, "use agents on one host, or a faster network to them"),
    ]
}

/// The names of the times that are not to be trusted, each once.
pub fn untrusted(gates: &[TimeGate]) -> Vec<&str> {
    let doubted = |name: &&str| gates.iter().any(|gate| !gate.ok && gate.figures.iter().any(|figure| figure == name));
    LATENCIES.into_iter().filter(doubted).collect()
}

impl TimeGate {
    fn starved(self, starved: bool) -> Self {
        Self { starved, ..self }
    }

    fn spoils(self, figures: &[&str], remedy: &str) -> Self {
        Self { figures: figures.iter().map(ToString::to_string).collect(), remedy: remedy.into(), ..self }
    }
}

fn at_most(name: &str, found: f64, limit: f64, unit: &str) -> TimeGate {
    let number = |value: f64| format!("{value:.2} {unit}");
    TimeGate {
        name: name.into(),
        ok: found <= limit,
        found: number(found),
        needed: format!("at most {}", number(limit)),
        figures: Vec::new(),
        remedy: String::new(),
        starved: false,
    }
}

fn p99(latency: &Latency) -> f64 {
    if latency.count() == 0 { 0.0 } else { latency.at(0.99).milliseconds() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;

    fn failing(prepare: impl FnOnce(&mut Tally, &mut GeneratorHealth)) -> Vec<TimeGate> {
        let mut tally = Tally::default();
        (tally.messages.planned, tally.messages.punctual) = (1000, 1000);
        let mut generator =
            GeneratorHealth { cpu: 0.5, stalled_ms: 0.0, cut_short: false, failed: false, clock_ms: 0.0 };
        prepare(&mut tally, &mut generator);
        gates(&tally, generator).into_iter().filter(|gate| !gate.ok).collect()
    }

    fn named(gates: &[TimeGate]) -> Vec<&str> {
        gates.iter().map(|gate| gate.name.as_str()).collect()
    }

    #[test]
    fn each_condition_fails_for_its_own_reason() {
        assert_eq!(named(&failing(|_, _| {})), Vec::<&str>::new());
        let late = failing(|tally, _| tally.latency(names::LAG).record(2 * MILLISECOND));
        assert_eq!(named(&late), ["schedule lag p99"]);
        let busy = failing(|tally, _| tally.latency(names::CANARY).record(3 * MILLISECOND));
        assert_eq!((named(&busy), busy[0].starved), (vec!["canary overshoot p99"], false));
        let starved = failing(|tally, _| tally.latency(names::CANARY).record(2000 * MILLISECOND));
        assert!(starved[0].starved);
        assert_eq!(named(&failing(|tally, _| tally.messages.punctual = 989)), ["achieved / offered"]);
        assert_eq!(named(&failing(|_, generator| generator.cpu = 0.9)), ["generator's CPU"]);
        assert!(failing(|_, generator| generator.stalled_ms = 1001.0)[0].starved);
        assert_eq!(named(&failing(|_, generator| generator.clock_ms = 1.5)), ["clocks apart"]);
    }

    #[test]
    fn a_late_sender_spoils_only_times_from_when_a_message_was_due() {
        let late = failing(|tally, _| tally.latency(names::LAG).record(2 * MILLISECOND));
        assert!(untrusted(&late).contains(&LIVE) && !untrusted(&late).contains(&SERVICE));
        let busy = failing(|_, generator| generator.cpu = 0.9);
        assert!(untrusted(&busy).contains(&SERVICE) && !untrusted(&busy).contains(&names::LAG));
    }

    #[test]
    fn a_slow_server_excuses_a_lag_of_a_tenth_of_its_time() {
        let slow = |tally: &mut Tally, _: &mut GeneratorHealth| {
            tally.latency(SERVICE).record(100 * MILLISECOND);
            tally.latency(names::LAG).record(9 * MILLISECOND);
        };
        assert_eq!(named(&failing(slow)), Vec::<&str>::new());
    }
}
