//! The schedule of a run, computed from the seed before the run begins: when each terminal is connected, how it
//! leaves, and when each message is due. The recorded behaviour of the cluster is compared with this schedule, so
//! that one loss can't hide another. The computation is pure, and a plan is never changed once it is made.

mod arrivals;
mod churn;
mod partition;

use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng, seq::SliceRandom};

pub use self::partition::Partition;
use crate::{
    clock::{Nanos, from_seconds, nanos},
    config::{Config, Connects, Leave},
};

/// A period in which a terminal is meant to be connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// When the terminal connects.
    pub from: Nanos,
    /// When the terminal leaves.
    pub to: Nanos,
    /// How the terminal leaves.
    pub leave: Leave,
}

/// How a terminal treats its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// The terminal reads and answers as the protocol demands.
    Good,
    /// The terminal reads, and never answers.
    Mute,
    /// The terminal reads slowly.
    Slow,
}

/// The part of one terminal in the plan.
#[derive(Debug, Clone)]
pub struct TerminalPlan {
    /// How the terminal treats its connection.
    pub behaviour: Behaviour,
    /// The periods in which the terminal is connected, in order.
    pub stays: Vec<Stay>,
}

/// A message of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedMessage {
    /// When the message is due.
    pub due: Nanos,
    /// The number of the target terminal; `None` for a broadcast.
    pub to: Option<u32>,
}

/// The schedule of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed of the schedule.
    pub seed: u64,
    /// The part of each terminal; the index is the terminal's number.
    pub terminals: Vec<TerminalPlan>,
    /// The messages in the order of their due times; the index is the message's `seq`.
    pub messages: Vec<PlannedMessage>,
    /// When messages begin.
    pub begin: Nanos,
    /// When measuring begins. Earlier messages warm up the cluster: they are accounted for, but are in no
    /// percentile.
    pub measure: Nanos,
    /// The end of the period in which messages are due.
    pub end: Nanos,
    /// The end of the run: twice the grace after `end`.
    pub last: Nanos,
}

/// The numbers of the random streams that belong to no terminal. A terminal's stream has the terminal's number.
const MESSAGES: u64 = u64::MAX;
const CONNECTS: u64 = u64::MAX - 1;
const BEHAVIOURS: u64 = u64::MAX - 2;

impl Plan {
    /// Computes the schedule of a configuration from a seed.
    pub fn new(config: &Config, seed: u64) -> Self {
        let begin = nanos(config.ramp) + 2 * nanos(config.settle);
        let measure = begin + nanos(config.warm);
        let end = measure + nanos(config.duration);
        // The last message has one grace to arrive in time, and one more in which a missed message can be replayed.
        let last = end + 2 * nanos(config.grace);
        let rules = churn::StayRules {
            churn: config.churn.when,
            leaves: config.churn.leave.clone(),
            away: nanos(config.churn.away),
            away_min: nanos(config.churn.away_min),
            begin,
            end,
            last,
        };
        let connects = connects(config, &mut stream(seed, CONNECTS));
        let behaviours = behaviours(config, &mut stream(seed, BEHAVIOURS));
        let planned = |(number, (from, behaviour)): (usize, (Nanos, Behaviour))| TerminalPlan {
            behaviour,
            stays: rules.stays(from, &mut stream(seed, number as u64)),
        };
        let terminals = connects.into_iter().zip(behaviours).enumerate().map(planned).collect();
        let messages = messages(config, begin, end - begin, &mut stream(seed, MESSAGES));
        Self { seed, terminals, messages, begin, measure, end, last }
    }

    /// Returns a hash of the plan that is equal for equal plans on every machine and in every version: 64-bit FNV-1a
    /// over all numbers of the plan.
    pub fn hash(&self) -> u64 {
        let stays = self.terminals.iter().flat_map(|planned| {
            let stays = planned.stays.iter().flat_map(|stay| [stay.from, stay.to, stay.leave as u64]);
            std::iter::once(planned.behaviour as u64).chain(stays)
        });
        let messages = self.messages.iter().flat_map(|message| [message.due, message.to.map_or(u64::MAX, u64::from)]);
        fnv(stays.chain(messages))
    }

    /// Returns the number of deliveries that the schedule alone intends, and a hash of their set. A delivery is
    /// intended if the terminal is a target of the message and is meant to be connected from `before` the due time
    /// to `after` it.
    pub fn intended(&self, before: Nanos, after: Nanos) -> (u64, u64) {
        let mut count = 0;
        let mut hash = Vec::new();
        for (number, planned) in self.terminals.iter().enumerate() {
            let mut stays = planned.stays.iter().peekable();
            for (seq, message) in self.messages.iter().enumerate() {
                while stays.next_if(|stay| stay.to < message.due + after).is_some() {}
                let covers = stays.peek().is_some_and(|stay| stay.from + before <= message.due);
                if covers && message.to.is_none_or(|to| to as usize == number) {
                    count += 1;
                    hash.push((number as u64) << 32 | seq as u64);
                }
            }
        }
        (count, fnv(hash.into_iter()))
    }
}

/// Returns a separate random stream for each number, so that the plan of a larger fleet begins with the plan of the
/// smaller one.
fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

fn fnv(numbers: impl Iterator<Item = u64>) -> u64 {
    let bytes = numbers.flat_map(u64::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Returns when each terminal first connects.
fn connects(config: &Config, rng: &mut ChaCha8Rng) -> Vec<Nanos> {
    let count = config.fleet.terminals;
    let part = |n: usize| n as f64 / count as f64;
    let parts: Vec<f64> = match config.connects {
        Connects::Constant => (0..count).map(part).collect(),
        // The square root makes the rate of connects grow linearly from zero.
        Connects::Ramp => (0..count).map(|n| part(n).sqrt()).collect(),
        Connects::Step => (0..count).map(|n| (part(n) * 4.0).floor() / 4.0).collect(),
        // Given the number of arrivals of a Poisson process in a period, their times are independent and uniform.
        Connects::Poisson => (0..count).map(|_| rng.random_range(0.0..1.0)).collect(),
        Connects::Once => vec![0.0; count],
    };
    parts.into_iter().map(|part| from_seconds(part * config.ramp.as_secs_f64())).collect()
}

/// Assigns the behaviours to random terminals, in exactly the configured shares.
fn behaviours(config: &Config, rng: &mut ChaCha8Rng) -> Vec<Behaviour> {
    let count = config.fleet.terminals;
    let part = |share: f64| (share * count as f64).round() as usize;
    let mut behaviours = vec![Behaviour::Good; count];
    let (mute, slow) = (part(config.mute.0), config.slow.map_or(0, |slow| part(slow.share.0)));
    behaviours.iter_mut().take(mute).for_each(|behaviour| *behaviour = Behaviour::Mute);
    behaviours.iter_mut().skip(mute).take(slow).for_each(|behaviour| *behaviour = Behaviour::Slow);
    behaviours.shuffle(rng);
    behaviours
}

fn messages(config: &Config, begin: Nanos, length: Nanos, rng: &mut ChaCha8Rng) -> Vec<PlannedMessage> {
    let seconds = length as f64 / 1e9;
    let due = |at: f64| begin + from_seconds(at);
    let broadcasts = arrivals::times(&config.broadcasts, seconds, rng);
    let mut messages: Vec<_> = broadcasts.into_iter().map(|at| PlannedMessage { due: due(at), to: None }).collect();
    for at in arrivals::times(&config.commands, seconds, rng) {
        let to = rng.random_range(0..config.fleet.terminals as u32);
        messages.push(PlannedMessage { due: due(at), to: Some(to) });
    }
    messages.sort_by_key(|message| message.due);
    messages
}

#[cfg(test)]
mod tests;
