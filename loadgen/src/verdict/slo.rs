//! Service level objectives, as `--slo` takes them: `live.p99<50ms,lost==0,dup_app==0`. An unknown name is an error
//! before the run begins, so that a misspelt objective can't pass.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::measure::{Account, FaultKind, Tally, names};

/// The times that an SLO may name.
const LATENCIES: [&str; 14] = [
    names::LIVE,
    names::SERVICE,
    names::REPLAY,
    names::CONNECT,
    names::ATTEMPT,
    names::LAST,
    names::COMMAND,
    names::ACK,
    names::RESULT,
    names::LAG,
    names::ACCEPT,
    names::RECONNECT,
    names::CAUGHT_UP,
    names::CANARY,
];

/// The points of each time that an SLO may name, with the share of the samples at or below the point.
pub const POINTS: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];

type Count = fn(&Tally) -> u64;

/// The counts that an SLO may name. Counts of the ledger leave out terminals that are mute or slow by plan.
const COUNTS: [(&str, Count); 22] = [
    ("expected", |tally| tally.behaved().expected),
    ("on_time", |tally| tally.behaved().on_time),
    ("late", |tally| tally.behaved().late),
    ("replayed", |tally| tally.behaved().replayed),
    ("signalled_gap", |tally| tally.behaved().signalled_gap),
    ("silently_lost", |tally| tally.behaved().silently_lost),
    ("lost", |tally| Account::lost(&tally.behaved())),
    ("dup_wire", |tally| tally.frames.dup_wire),
    ("dup_app", |tally| tally.frames.dup_app),
    ("reorder_wire", |tally| tally.reorder.wire),
    ("reorder_app", |tally| tally.reorder.app),
    ("corrupt", |tally| tally.count(FaultKind::Corrupt)),
    ("misdelivered", |tally| tally.count(FaultKind::Misdelivered)),
    ("phantom", |tally| tally.count(FaultKind::Phantom)),
    ("from_replaced", |tally| tally.count(FaultKind::FromReplaced)),
    ("refused", |tally| tally.messages.refused),
    ("indeterminate", |tally| tally.messages.indeterminate),
    ("accepted", |tally| tally.messages.accepted),
    ("dropped", |tally| tally.connections.lost),
    ("failed_attempts", |tally| tally.connections.failed),
    ("never_connected", |tally| tally.connections.never),
    ("never_recovered", |tally| tally.connections.never_recovered),
];

/// The value that is compared: a point of a time in milliseconds, or a count.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Metric {
    Time(&'static str, f64),
    Count(&'static str),
}

/// How the value is compared with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Below,
    AtMost,
    Equal,
    AtLeast,
    Above,
}

/// One objective. `limit` is in milliseconds for a time.
#[derive(Debug, Clone, PartialEq)]
struct Slo {
    text: String,
    metric: Metric,
    relation: Relation,
    limit: f64,
}

/// The objectives of a run, separated by commas. None by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Slos(Vec<Slo>);

/// The result of one objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The objective as it was written.
    pub slo: String,
    /// Whether the objective is met. False if the run has no sample of the time.
    pub ok: bool,
    /// The value that was found, with its unit.
    pub found: String,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (found {})", self.slo, self.found)
    }
}

impl FromStr for Slos {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let relations = [
            ("==", Relation::Equal),
            ("<=", Relation::AtMost),
            (">=", Relation::AtLeast),
            ("<", Relation::Below),
            (">", Relation::Above),
        ];
        let found = relations.iter().find_map(|(sign, relation)| Some((text.split_once(sign)?, *relation)));
        let ((name, limit), relation) =
            found.ok_or_else(|| format!("{text:?} compares nothing: use < <= == >= or >"))?;
        let metric = metric(name.trim())?;
        Ok(Self { text: text.to_owned(), metric, relation, limit: number(limit.trim(), metric)? })
    }
}

fn metric(name: &str) -> Result<Metric, String> {
    if let Some((count, _)) = COUNTS.iter().find(|(count, _)| *count == name) {
        return Ok(Metric::Count(count));
    }
    let time = name.split_once('.').and_then(|(latency, point)| {
        let latency = LATENCIES.iter().find(|known| **known == latency)?;
        Some(Metric::Time(latency, POINTS.iter().find(|(known, _)| *known == point)?.1))
    });
    time.ok_or_else(|| {
        let counts = COUNTS.map(|(name, _)| name).join(", ");
        let points = POINTS.map(|(point, _)| point).join(", ");
        format!("there is no {name:?}; there are {counts}, and each of {} with one of .{points}", LATENCIES.join(", "))
    })
}

/// Parses a limit. Returns a time in milliseconds, and a count as it is. Fails if a time has no unit.
fn number(text: &str, metric: Metric) -> Result<f64, String> {
    let bad = || match metric {
        Metric::Time(..) => format!("{text:?} is no time: write 50ms, 200us or 2s"),
        Metric::Count(_) => format!("{text:?} is no number"),
    };
    match metric {
        Metric::Time(..) => humantime::parse_duration(text).map(|time| time.as_secs_f64() * 1e3).map_err(|_| bad()),
        Metric::Count(_) => text.parse().map_err(|_| bad()),
    }
}

impl Slos {
    /// Checks each objective against a run. A percentile with too few samples to be reliable is used as it is,
    /// because the objective names it.
    pub fn check(&self, tally: &Tally) -> Vec<Check> {
        self.0.iter().map(|slo| slo.check(tally)).collect()
    }
}

impl Slo {
    fn check(&self, tally: &Tally) -> Check {
        let (found, said) = match self.metric {
            Metric::Count(name) => {
                let count = COUNTS.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| count(tally));
                (Some(count as f64), count.to_string())
            }
            Metric::Time(name, share) => {
                let latency = tally.latencies.get(name).filter(|latency| latency.count() + latency.missing > 0);
                let found = latency.map(|latency| latency.at(share).milliseconds());
                (found, found.map_or("no sample".into(), |found| format!("{found:.2} ms")))
            }
        };
        let holds = |found: f64| match self.relation {
            Relation::Below => found < self.limit,
            Relation::AtMost => found <= self.limit,
            Relation::Equal => found == self.limit,
            Relation::AtLeast => found >= self.limit,
            Relation::Above => found > self.limit,
        };
        Check { slo: self.text.clone(), ok: found.is_some_and(holds), found: said }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;

    fn passes(slo: &str) -> Vec<bool> {
        let mut tally = Tally::default();
        tally.latency(names::LIVE).record(20 * MILLISECOND);
        tally.frames.dup_wire = 3;
        slo.parse::<Slos>().unwrap().check(&tally).iter().map(|check| check.ok).collect()
    }

    #[test]
    fn each_slo_is_checked_against_the_run() {
        assert_eq!(
            passes("live.p99<50ms, lost==0,dup_wire<3,live.max>1s,dup_wire>=3"),
            [true, true, false, false, true]
        );
        assert_eq!(passes("replay.p99<1s"), [false], "what was not measured does not pass");
        assert_eq!(passes(""), Vec::<bool>::new());
    }

    #[test]
    fn a_message_that_never_came_misses_every_limit() {
        let mut tally = Tally::default();
        tally.latency(names::LIVE).missing = 1;
        assert!(!"live.max<1h".parse::<Slos>().unwrap().check(&tally)[0].ok);
    }

    #[test]
    fn a_misspelt_slo_is_an_error() {
        for (bad, told) in [
            ("live.p98<1ms", "there is no"),
            ("losst==0", "there is no"),
            ("lost", "compares"),
            ("live.p99<50", "no time"),
            ("lost==x", "no number"),
        ] {
            let error = bad.parse::<Slos>().unwrap_err();
            assert!(error.contains(told), "{bad}: {error}");
        }
    }
}
