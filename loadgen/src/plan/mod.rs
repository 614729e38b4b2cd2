//! What is to happen, computed from the seed before anything does: when each terminal is on the line, how it leaves, and when each
//! message is due. What the cluster then makes of it is judged against this, so that no loss hides behind another. Pure; never
//! changed once made.

mod arrivals;
mod churn;

use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::{
    clock::{Nanos, from_seconds, nanos},
    config::{Config, Connects, Leave},
};

/// A time in which a terminal means to be on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// It connects.
    pub from: Nanos,
    /// It leaves.
    pub to: Nanos,
    /// How.
    pub leave: Leave,
}

/// How a terminal treats its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Temper {
    /// As it should.
    Good,
    /// It reads, and never answers.
    Mute,
    /// It reads slowly.
    Slow,
}

/// One terminal's part.
#[derive(Debug, Clone)]
pub struct Life {
    /// How it behaves.
    pub temper: Temper,
    /// Its stays, in order.
    pub stays: Vec<Stay>,
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// When it is due.
    pub due: Nanos,
    /// For which terminal; all, if none.
    pub to: Option<u32>,
}

/// The whole schedule.
#[derive(Debug, Clone)]
pub struct Plan {
    /// From which it was made.
    pub seed: u64,
    /// Each terminal's.
    pub lives: Vec<Life>,
    /// In the order they are due; the place is the message's `seq`.
    pub messages: Vec<Message>,
    /// When messages begin.
    pub begin: Nanos,
    /// What is due before warms up: it is accounted for, and in no percentile.
    pub measure: Nanos,
    /// When the last message has been due.
    pub end: Nanos,
    /// When the run is over: the last message's grace has passed.
    pub last: Nanos,
}

/// The streams of chance beside the terminals' own, which are their numbers.
const MESSAGES: u64 = u64::MAX;
const CONNECTS: u64 = u64::MAX - 1;
const TEMPERS: u64 = u64::MAX - 2;

impl Plan {
    /// The schedule of a configuration.
    pub fn new(config: &Config, seed: u64) -> Self {
        let begin = nanos(config.ramp) + 2 * nanos(config.settle);
        let measure = begin + nanos(config.warm);
        let end = measure + nanos(config.duration);
        // A window of grace after the last message, and time to be replayed what was missed in it.
        let last = end + 2 * nanos(config.grace);
        let rules = churn::Rules {
            churn: config.churn,
            leaves: config.leave.clone(),
            away: nanos(config.away),
            away_min: nanos(config.away_min),
            begin,
            end,
            last,
        };
        let connects = connects(config, &mut stream(seed, CONNECTS));
        let tempers = tempers(config, &mut stream(seed, TEMPERS));
        let life = |(number, (from, temper)): (usize, (Nanos, Temper))| Life {
            temper,
            stays: rules.stays(from, &mut stream(seed, number as u64)),
        };
        let lives = connects.into_iter().zip(tempers).enumerate().map(life).collect();
        let messages = messages(config, begin, end - begin, &mut stream(seed, MESSAGES));
        Self { seed, lives, messages, begin, measure, end, last }
    }

    /// Equal for equal plans, on every machine and in every version: 64-bit FNV-1a over all of its numbers.
    pub fn hash(&self) -> u64 {
        let stays = self.lives.iter().flat_map(|life| {
            let stays = life.stays.iter().flat_map(|stay| [stay.from, stay.to, stay.leave as u64]);
            std::iter::once(life.temper as u64).chain(stays)
        });
        let messages = self.messages.iter().flat_map(|message| [message.due, message.to.map_or(u64::MAX, u64::from)]);
        fnv(stays.chain(messages))
    }

    /// How many deliveries are intended by the schedule alone, and a hash of their set: who is on the line all through
    /// the window of which message.
    pub fn intended(&self, before: Nanos, after: Nanos) -> (u64, u64) {
        let mut count = 0;
        let mut hash = Vec::new();
        for (number, life) in self.lives.iter().enumerate() {
            let mut stays = life.stays.iter().peekable();
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

/// A stream of chance of its own, so that a larger fleet begins with the smaller one's plan.
fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

fn fnv(numbers: impl Iterator<Item = u64>) -> u64 {
    let bytes = numbers.flat_map(u64::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// When each terminal connects first.
fn connects(config: &Config, rng: &mut ChaCha8Rng) -> Vec<Nanos> {
    let count = config.line.terminals;
    let part = |n: usize| n as f64 / count as f64;
    let parts: Vec<f64> = match config.connects {
        Connects::Constant => (0..count).map(part).collect(),
        // Half of the line's area by the root: ever faster.
        Connects::Ramp => (0..count).map(|n| part(n).sqrt()).collect(),
        Connects::Step => (0..count).map(|n| (part(n) * 4.0).floor() / 4.0).collect(),
        // That so many arrivals of a Poisson process fell into the ramp leaves their places uniform.
        Connects::Poisson => (0..count).map(|_| rng.random_range(0.0..1.0)).collect(),
        Connects::Once => vec![0.0; count],
    };
    parts.into_iter().map(|part| from_seconds(part * config.ramp.as_secs_f64())).collect()
}

/// Exactly the shares that were asked for, at random places.
fn tempers(config: &Config, rng: &mut ChaCha8Rng) -> Vec<Temper> {
    let count = config.line.terminals;
    let part = |share: f64| (share * count as f64).round() as usize;
    let mut tempers = vec![Temper::Good; count];
    let (mute, slow) = (part(config.mute.0), config.slow.map_or(0, |slow| part(slow.share.0)));
    tempers.iter_mut().take(mute).for_each(|temper| *temper = Temper::Mute);
    tempers.iter_mut().skip(mute).take(slow).for_each(|temper| *temper = Temper::Slow);
    tempers.shuffle(rng);
    tempers
}

fn messages(config: &Config, begin: Nanos, length: Nanos, rng: &mut ChaCha8Rng) -> Vec<Message> {
    let seconds = length as f64 / 1e9;
    let due = |at: f64| begin + from_seconds(at);
    let broadcasts = arrivals::times(&config.broadcasts, seconds, rng);
    let mut messages: Vec<_> = broadcasts.into_iter().map(|at| Message { due: due(at), to: None }).collect();
    for at in arrivals::times(&config.commands, seconds, rng) {
        let to = rng.random_range(0..config.line.terminals as u32);
        messages.push(Message { due: due(at), to: Some(to) });
    }
    messages.sort_by_key(|message| message.due);
    messages
}

#[cfg(test)]
mod tests;
