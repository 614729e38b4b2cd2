//! The values that a setting can have, where it is one of a few.

use std::str::FromStr;

use clap::ValueEnum;

/// What kind of server is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// Muster: `muster.v1` frames and its API.
    Muster,
    /// Any server that sends to all what it receives, or what is posted to --post.
    Raw,
}

/// Which messages terminals acknowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Acks {
    /// All, as the shipped client does.
    All,
    /// Only those for them alone.
    Commands,
}

/// How the first connects are spread over the ramp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Connects {
    /// Evenly.
    Constant,
    /// Ever faster.
    Ramp,
    /// In four waves.
    Step,
    /// At random.
    Poisson,
    /// All at its beginning.
    Once,
}

/// Whether the server promises to send what a terminal missed while it was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// It does if any welcome said so.
    Auto,
    /// It does, whatever it says.
    On,
    /// It does not.
    Off,
}

/// A process to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Under which name it is reported.
    pub name: String,
    /// Which it is.
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
    fn a_process_has_a_name() {
        assert_eq!("n=7".parse(), Ok(Watched { name: "n".into(), pid: 7 }));
        assert!("7".parse::<Watched>().is_err());
    }
}
