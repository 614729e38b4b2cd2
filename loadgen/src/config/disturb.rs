//! What is done to the server during a run: commands of the user, and attacks by connections that are no terminals.

use std::{str::FromStr, time::Duration};

use clap::Args;

/// The most connections of all attacks together.
const MAX_CONNECTIONS: usize = 20_000;

/// What is done to the server during a run. Each is a mark on the time line. Times count from when messages begin.
#[derive(Debug, Clone, Default, Args)]
pub struct DisturbanceSettings {
    /// A command for the shell at a time of the run: --at '10s kill 4711'. Times count from when messages begin. May be
    /// given several times. A command that fails makes the run invalid; one that still runs at the end of the run is killed
    #[arg(long = "at", value_name = "TIME COMMAND")]
    pub timed: Vec<TimedCommand>,

    /// Connections besides the terminals that attack the server from this time on: half-open=20@10s. Nothing is owed to them.
    /// May be given several times. KIND: half-open (no packet of the server is confirmed any more, as behind a cut cable),
    /// silent (connected, and no byte is sent), stop-reading, reset (connected and reset, ten times a second), storm (all
    /// connect at once, each second), flood (pings without end)
    #[arg(long = "attack", value_name = "KIND=COUNT@TIME")]
    pub attacks: Vec<PlannedAttack>,
}

/// A command for the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedCommand {
    /// When it begins, from when messages begin.
    pub at: Duration,
    /// The text for `sh -c`.
    pub command: String,
}

/// Connections that attack the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedAttack {
    /// What each connection does.
    pub way: AttackWay,
    /// The number of connections.
    pub count: usize,
    /// When they begin, from when messages begin.
    pub at: Duration,
}

/// What a connection does that attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttackWay {
    /// It subscribes, and then confirms no packet any more, as behind a cut cable.
    HalfOpen,
    /// It connects, and sends no byte.
    Silent,
    /// It subscribes, and then reads nothing more.
    StopReading,
    /// It subscribes, and resets the connection, ten times a second.
    Reset,
    /// It connects and closes each second, in the same moment as all others.
    Storm,
    /// It subscribes, and sends pings without end.
    Flood,
}

/// The ways to attack, by the names that `--attack` has for them.
const WAYS: [(&str, AttackWay); 6] = [
    ("half-open", AttackWay::HalfOpen),
    ("silent", AttackWay::Silent),
    ("stop-reading", AttackWay::StopReading),
    ("reset", AttackWay::Reset),
    ("storm", AttackWay::Storm),
    ("flood", AttackWay::Flood),
];

impl AttackWay {
    /// The name that `--attack` has for it.
    pub fn name(self) -> &'static str {
        WAYS.iter().find(|(_, way)| *way == self).map_or("", |(name, _)| name)
    }
}

impl DisturbanceSettings {
    /// The number of connections of all attacks.
    pub fn connections(&self) -> usize {
        self.attacks.iter().map(|attack| attack.count).sum()
    }
}

impl FromStr for TimedCommand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "it is a time and a command: '10s kill 4711'".to_owned();
        let (at, command) = text.split_once(' ').ok_or_else(bad)?;
        let command = command.trim().to_owned();
        if command.is_empty() {
            return Err(bad());
        }
        Ok(Self { at: humantime::parse_duration(at).map_err(|_| bad())?, command })
    }
}

impl FromStr for PlannedAttack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = WAYS.map(|(name, _)| name).join(", ");
        let bad = || format!("it is KIND=COUNT@TIME, such as half-open=20@10s, and KIND is one of {names}");
        let (kind, rest) = text.split_once('=').ok_or_else(bad)?;
        let (count, at) = rest.split_once('@').ok_or_else(bad)?;
        let (_, way) = WAYS.iter().find(|(name, _)| *name == kind).ok_or_else(bad)?;
        let count = count.parse().ok().filter(|count| (1..=MAX_CONNECTIONS).contains(count)).ok_or_else(bad)?;
        Ok(Self { way: *way, count, at: humantime::parse_duration(at).map_err(|_| bad())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_a_time_and_an_attack_a_kind_a_count_and_a_time() {
        let at = Duration::from_secs(10);
        assert_eq!("10s kill -9 7".parse(), Ok(TimedCommand { at, command: "kill -9 7".into() }));
        for (name, way) in WAYS {
            assert_eq!(format!("{name}=20@10s").parse(), Ok(PlannedAttack { way, count: 20, at }));
            assert_eq!(way.name(), name);
        }
    }

    #[test]
    fn what_is_incomplete_is_refused() {
        for bad in ["", "10s", "10s ", "soon kill 7", "kill 7"] {
            assert!(bad.parse::<TimedCommand>().is_err(), "{bad}");
        }
        for bad in
            ["", "half-open", "half-open=20", "half-open=0@1s", "half-open=x@1s", "half-open=20001@1s", "hug=1@1s"]
        {
            assert!(bad.parse::<PlannedAttack>().unwrap_err().contains("half-open=20@10s"), "{bad}");
        }
    }
}
