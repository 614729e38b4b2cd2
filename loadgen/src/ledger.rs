//! Who should have got what, and who did. A delivery is expected by the *plan*: a terminal that the cluster lost is still owed its
//! messages, and only an absence that was planned excuses one.
//!
//! Always: expected = on time + late + missing.

use std::{collections::HashMap, time::Duration};

use crate::{
    config::Config,
    log::{Lines, Log, Sent},
    plan::{Plan, Stay},
};

/// A terminal that leaves so soon after a broadcast may miss it.
const HOLD: Duration = Duration::from_millis(250);
/// A terminal that is not ready so long after it should connect was not let in.
const CONNECT: Duration = Duration::from_secs(15);

/// The sums.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Ledger {
    /// Broadcasts that were due.
    pub planned: u64,
    /// Those that the cluster took.
    pub accepted: u64,
    /// Those that it refused, or that did not reach it.
    pub refused: u64,
    /// Deliveries that the plan asks for.
    pub expected: u64,
    /// Those that came within the grace.
    pub on_time: u64,
    /// Those that came after it.
    pub late: u64,
    /// Those that did not come.
    pub missing: u64,
    /// Deliveries that came more than once.
    pub duplicates: u64,
    /// Deliveries that came though the plan did not ask for them: to terminals about to leave or just come. No fault.
    pub extra: u64,
    /// Messages of no broadcast of this run.
    pub strange: u64,
    /// Commands repeated on the wire and recognized. No fault.
    pub repeated: u64,
    /// Connections that came to be.
    pub connects: u64,
    /// Stays in which the terminal was not let in.
    pub never_connected: u64,
    /// Sessions that ended though the terminal had not left.
    pub unplanned: u64,
}

impl Ledger {
    /// Judges a run.
    pub fn new(config: &Config, plan: &Plan, log: &Log) -> Self {
        let sent = log.sent().clone();
        let mut ledger = Self { planned: plan.broadcasts.len() as u64, ..Self::default() };
        ledger.accepted = sent.iter().filter(|sent| sent.refused.is_none()).count() as u64;
        ledger.refused = ledger.planned - ledger.accepted;
        for (number, stays) in plan.stays.iter().enumerate() {
            let lines = log.terminal(number).clone();
            ledger.connected(stays, &lines, log.began.elapsed());
            ledger.delivered(config, plan, stays, &lines, &sent);
        }
        ledger
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        [self.refused, self.late, self.missing, self.duplicates, self.strange, self.never_connected]
            .iter()
            .all(|sum| *sum == 0)
            && self.expected > 0
    }

    fn connected(&mut self, stays: &[Stay], lines: &Lines, now: Duration) {
        for (stay, ready) in stays.iter().zip(&lines.ready) {
            match ready {
                Some(_) => self.connects += 1,
                None if stay.to.min(now) > stay.from + CONNECT => self.never_connected += 1,
                None => {}
            }
        }
        self.strange += lines.strange;
        self.repeated += lines.repeated;
        self.unplanned += lines.unplanned;
    }

    fn delivered(&mut self, config: &Config, plan: &Plan, stays: &[Stay], lines: &Lines, sent: &[Sent]) {
        let mut arrivals: HashMap<usize, Vec<Duration>> = HashMap::new();
        for arrival in &lines.arrivals {
            arrivals.entry(arrival.number).or_default().push(arrival.at);
        }
        for sent in sent {
            let due = plan.broadcasts[sent.number];
            let came = arrivals.remove(&sent.number).unwrap_or_default();
            self.duplicates += came.len().saturating_sub(1) as u64;
            let expected = sent.refused.is_none() && is_expected(config, stays, lines, due, sent.answered);
            match (expected, came.first()) {
                (true, Some(at)) if *at <= due + config.grace => self.on_time += 1,
                (true, Some(_)) => self.late += 1,
                (true, None) => self.missing += 1,
                (false, Some(_)) => self.extra += 1,
                (false, None) => {}
            }
            self.expected += u64::from(expected);
        }
        self.strange += arrivals.values().map(|came| came.len() as u64).sum::<u64>();
    }
}

/// Whether a terminal was meant to be on the line well before a broadcast was due and well after it was accepted. Once it has been
/// ready in a stay, whatever else happens to its connection in that stay is no excuse.
fn is_expected(config: &Config, stays: &[Stay], lines: &Lines, due: Duration, accepted: Duration) -> bool {
    stays
        .iter()
        .zip(&lines.ready)
        .any(|(stay, ready)| ready.is_some_and(|ready| ready + config.settle <= due) && accepted + HOLD <= stay.to)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tokio::time::Instant;

    use super::*;
    use crate::log::Arrival;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    /// Two terminals that stay, three broadcasts that were accepted when due, and what each terminal got.
    fn judge(got: [&[usize]; 2]) -> Ledger {
        let flags =
            ["x", "--url", "ws://h/ws", "--api", "http://h", "--terminals", "2", "--for", "3s", "--broadcasts", "1"];
        let config = Cli::parse_from(flags).config;
        let (plan, log) = (Plan::new(&config), Log::new(2, Instant::now()));
        for (number, due) in plan.broadcasts.iter().enumerate() {
            log.sent().push(Sent { number, at: *due, answered: *due, refused: None });
        }
        for (terminal, got) in got.into_iter().enumerate() {
            let mut lines = log.terminal(terminal);
            lines.ready.push(Some(Duration::ZERO));
            let arrival = |number: &usize| Arrival {
                number: *number,
                at: plan.broadcasts.get(*number).copied().unwrap_or_default(),
            };
            lines.arrivals = got.iter().map(arrival).collect();
        }
        Ledger::new(&config, &plan, &log)
    }

    #[test]
    fn it_closes_and_every_fault_shows() {
        let clean = judge([&[0, 1, 2], &[0, 1, 2]]);
        assert!(clean.is_clean() && clean.expected == 6 && clean.on_time == 6, "{clean:?}");
        let lost = judge([&[0, 2], &[0, 1, 2]]);
        assert!(!lost.is_clean() && lost.missing == 1 && lost.on_time + lost.late + lost.missing == lost.expected);
        let twice = judge([&[0, 1, 1, 2], &[0, 1, 2]]);
        assert!(!twice.is_clean() && twice.duplicates == 1);
        let strange = judge([&[0, 1, 2, 7], &[0, 1, 2]]);
        assert!(!strange.is_clean() && strange.strange == 1);
    }
}
