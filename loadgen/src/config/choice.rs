//! The types of settings that have a few fixed values, and the type of `--watch`.

use std::str::FromStr;

use clap::ValueEnum;

/// The kind of server under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ServerKind {
    /// Muster: `muster.v1` frames and its API.
    Muster,
    /// Any server that relays to all its clients what it receives, or what is posted to --post.
    Raw,
}

/// Which messages terminals acknowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Acks {
    /// All messages, as the shipped client does.
    All,
    /// Only commands that target the terminal alone.
    Commands,
}

/// How the first connects are spread over the ramp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Connects {
    /// At equal intervals.
    Constant,
    /// At a rate that grows linearly from zero.
    Ramp,
    /// In four equal waves.
    Step,
    /// At random times, as in a Poisson process.
    Poisson,
    /// All at the beginning of the ramp.
    Once,
}

/// Whether the server promises to replay what a terminal missed while it was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// The server promises replay if any welcome said so.
    Auto,
    /// The server promises replay, whatever its welcomes say.
    On,
    /// The server does not promise replay.
    Off,
}

/// A process whose CPU and memory are measured, written `NAME=PID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The name of the process in the report.
    pub name: String,
    /// The process id.
    pub pid: u32,
}

impl FromStr for Watched {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pair = text.split_once('=').and_then(|(name, pid)| Some((name.to_owned(), pid.parse().ok()?)));
        pair.map(|(name, pid)| Self { name, pid }).ok_or_else(|| "a process is NAME=PID, such as node1=4711".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watched_process_needs_a_name() {
        assert_eq!("n=7".parse(), Ok(Watched { name: "n".into(), pid: 7 }));
        assert!("7".parse::<Watched>().is_err());
    }
}
