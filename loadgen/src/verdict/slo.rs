//! Compares a run with the objectives of `--slo`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    config::{Metric, Slo, Slos},
    measure::{FaultKind, Tally},
};

/// The result of one objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The objective as it was given.
    pub slo: String,
    /// Whether the run keeps it.
    pub ok: bool,
    /// False if it is on a time that is not to be trusted. Absent in older files: true.
    #[serde(default = "yes")]
    pub trusted: bool,
    /// The value that was found.
    pub found: String,
}

fn yes() -> bool {
    true
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doubt = if self.trusted { "" } else { ", which is not to be trusted" };
        write!(f, "{} (found {}{doubt})", self.slo, self.found)
    }
}

/// Compares a run with each objective, in order. Unlike a report, this also takes a percentile from too few samples to
/// mean much: the objective asks for it. An objective on a time without a sample is missed. `untrusted` are the names of
/// the times that are not to be trusted.
pub fn check(slos: &Slos, tally: &Tally, untrusted: &[&str]) -> Vec<Check> {
    slos.0.iter().map(|slo| check_one(slo, tally, untrusted)).collect()
}

fn check_one(slo: &Slo, tally: &Tally, untrusted: &[&str]) -> Check {
    let (value, found) = match slo.metric {
        Metric::Count(name) => {
            let count = count(name, tally);
            (count.map(|count| count as f64), count.map_or("unknown".into(), |count| count.to_string()))
        }
        Metric::Time(name, share) => {
            let latency = tally.latencies.get(name).filter(|latency| latency.count() + latency.missing > 0);
            let value = latency.map(|latency| latency.at(share).milliseconds());
            (value, value.map_or("no sample".into(), |value| format!("{value:.2} ms")))
        }
    };
    let ok = value.is_some_and(|value| slo.relation.holds(value, slo.limit));
    let trusted = !matches!(slo.metric, Metric::Time(name, _) if untrusted.contains(&name));
    Check { slo: slo.text.clone(), ok, trusted, found }
}

/// The value of a count in [`crate::names::COUNTS`]; `None` for another name.
fn count(name: &str, tally: &Tally) -> Option<u64> {
    let account = tally.behaved();
    Some(match name {
        "expected" => account.expected,
        "on_time" => account.on_time,
        "late" => account.late,
        "replayed" => account.replayed,
        "signalled_gap" => account.signalled_gap,
        "silently_lost" => account.silently_lost,
        "lost" => account.lost(),
        "other_kind" => account.other_kind,
        "still_away" => account.still_away,
        "not_promised" => account.not_promised,
        "dup_wire" => tally.frames.dup_wire,
        "dup_app" => tally.frames.dup_app,
        "reorder_wire" => tally.reorder.wire,
        "reorder_app" => tally.reorder.app,
        "corrupt" => tally.count(FaultKind::Corrupt),
        "misdelivered" => tally.count(FaultKind::Misdelivered),
        "phantom" => tally.count(FaultKind::Phantom),
        "from_replaced" => tally.count(FaultKind::FromReplaced),
        "refused" => tally.messages.refused,
        "indeterminate" => tally.messages.indeterminate,
        "accepted" => tally.messages.accepted,
        "dropped" => tally.connections.lost,
        "failed_attempts" => tally.connections.failed,
        "unsent" => tally.messages.unsent,
        "never_connected" => tally.connections.never + tally.connections.unanswered,
        "never_answered" => tally.connections.unanswered,
        "never_recovered" => tally.connections.never_recovered,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::MILLISECOND,
        names::{COUNTS, LIVE},
    };

    fn passes(slos: &str) -> Vec<bool> {
        let mut tally = Tally::default();
        tally.latency(LIVE).record(20 * MILLISECOND);
        tally.frames.dup_wire = 3;
        check(&slos.parse().unwrap(), &tally, &[]).iter().map(|check| check.ok).collect()
    }

    #[test]
    fn each_objective_is_compared_with_the_run() {
        assert_eq!(
            passes("live.p99<50ms, lost==0,dup_wire<3,live.max>1s,dup_wire>=3"),
            [true, true, false, false, true]
        );
        assert_eq!(passes("replay.p99<1s"), [false], "a time without a sample misses its objective");
        assert_eq!(passes(""), Vec::<bool>::new());
    }

    #[test]
    fn a_message_that_never_arrived_misses_every_limit() {
        let mut tally = Tally::default();
        tally.latency(LIVE).missing = 1;
        assert!(!check(&"live.max<1h".parse().unwrap(), &tally, &[])[0].ok);
    }

    #[test]
    fn only_an_objective_on_a_doubtful_time_is_not_to_be_trusted() {
        let checks = check(&"live.p99<1s,lag.p99<1s,lost==0".parse().unwrap(), &Tally::default(), &[LIVE]);
        assert_eq!(checks.iter().map(|check| check.trusted).collect::<Vec<_>>(), [false, true, true]);
    }

    #[test]
    fn every_count_that_an_objective_may_name_has_a_value() {
        for name in COUNTS {
            assert!(count(name, &Tally::default()).is_some(), "{name}");
        }
    }
}
