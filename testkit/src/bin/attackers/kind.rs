//! The kinds of attackers, and how many there are of each.

use std::{fmt, str::FromStr};

use clap::ValueEnum;

/// What an attacker does, again and again until its time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum AttackKind {
    /// A session that sends pings without end.
    Pings,
    /// A session that sends pongs that answer nothing.
    Pongs,
    /// A session that sends texts of a type that there is not.
    Messages,
    /// A session that sends a message in empty fragments without end.
    Continuations,
    /// A session that acknowledges a command that there is not.
    Acks,
    /// A session that sends its health without end.
    Health,
    /// A session that sends events without end.
    Events,
    /// A request whose head comes byte by byte.
    Heads,
    /// A request whose body comes byte by byte.
    Bodies,
    /// A connection on which nothing is sent.
    Silent,
    /// A session that reads nothing, and so answers no ping.
    Deaf,
    /// A handshake without its hello.
    HalfHandshakes,
    /// Handshakes with a token that nobody signed, one after the other.
    BadTokens,
    /// Large commands with a key that nobody signed, one after the other.
    BadKeys,
    /// Large commands with a good key, for a terminal that there is not.
    LargeCommands,
    /// An event stream that is not read.
    EventStreams,
    /// Sessions of one terminal that end as soon as they have begun.
    Churn,
}

impl AttackKind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::Pings,
        Self::Pongs,
        Self::Messages,
        Self::Continuations,
        Self::Acks,
        Self::Health,
        Self::Events,
        Self::Heads,
        Self::Bodies,
        Self::Silent,
        Self::Deaf,
        Self::HalfHandshakes,
        Self::BadTokens,
        Self::BadKeys,
        Self::LargeCommands,
        Self::EventStreams,
        Self::Churn,
    ];
}

impl fmt::Display for AttackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no kind is hidden");
        f.write_str(value.get_name())
    }
}

/// A kind, and the number of its attackers if it has one of its own: `pings` or `pings:10`.
#[derive(Debug, Clone, Copy)]
pub struct KindCount {
    kind: AttackKind,
    count: Option<usize>,
}

impl FromStr for KindCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, count) = text.split_once(':').map_or((text, None), |(name, count)| (name, Some(count)));
        let kind = AttackKind::from_str(name, false).map_err(|_| {
            let names: Vec<_> = AttackKind::ALL.iter().map(ToString::to_string).collect();
            format!("{name:?} is no kind; there are {}", names.join(", "))
        })?;
        let count = count.map(|count| count.parse().map_err(|_| format!("{count:?} is no number of attackers")));
        Ok(Self { kind, count: count.transpose()? })
    }
}

/// How many attackers of each kind there are. Kinds without a number share `count`, and the first of them have one more if it can't be
/// divided. No kinds are all kinds.
pub fn shares(kinds: &[KindCount], count: usize) -> Vec<(AttackKind, usize)> {
    let all = AttackKind::ALL.map(|kind| KindCount { kind, count: None });
    let kinds = if kinds.is_empty() { &all[..] } else { kinds };
    let sharing = kinds.iter().filter(|kind| kind.count.is_none()).count().max(1);
    let mut number = 0;
    let mut share = || {
        number += 1;
        count / sharing + usize::from(number <= count % sharing)
    };
    kinds.iter().map(|each| (each.kind, each.count.unwrap_or_else(&mut share))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_without_a_number_share_the_count() {
        let kinds = ["pings", "silent:7", "half-handshakes"].map(|kind| kind.parse::<KindCount>().unwrap());
        let wanted = [(AttackKind::Pings, 2), (AttackKind::Silent, 7), (AttackKind::HalfHandshakes, 1)];
        assert_eq!(shares(&kinds, 3), wanted);
        let all = shares(&[], 200);
        assert_eq!((all.len(), all.iter().map(|(_, count)| count).sum::<usize>()), (17, 200));
        assert!("pings:x".parse::<KindCount>().is_err());
        assert!("ping".parse::<KindCount>().unwrap_err().contains("half-handshakes"));
    }
}
