//! The flags of `muster rollout`.

use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use muster_protocol::{
    RolloutId,
    api::{TimeWindow, WaveRequest, WaveSize},
};
use serde_json::json;

use super::{ConfirmName, NamedPayload, RowLimit, TargetFlags};
use crate::completion::CandidateKind;

#[derive(Debug, Subcommand)]
pub enum RolloutVerb {
    /// Send a command in waves
    Create(Box<RolloutCreate>),
    /// List rollouts, the newest first
    Ls {
        #[command(flatten)]
        limit: RowLimit,
    },
    /// Show a rollout and its waves
    Show {
        #[arg(add = CandidateKind::Rollouts.completer())]
        rollout: RolloutId,
        /// Follow it until it ends, for at most this long: --wait=30s
        #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "24h", value_parser = humantime::parse_duration)]
        wait: Option<Duration>,
    },
    /// Send nothing more until it is resumed
    Pause {
        #[arg(add = CandidateKind::Rollouts.completer())]
        rollout: RolloutId,
    },
    /// Let a paused rollout go on
    Resume {
        #[arg(add = CandidateKind::Rollouts.completer())]
        rollout: RolloutId,
        /// Follow it until it ends, for at most this long: --wait=30s
        #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "24h", value_parser = humantime::parse_duration)]
        wait: Option<Duration>,
    },
    /// End a rollout, and cancel what was not sent
    Stop {
        #[arg(add = CandidateKind::Rollouts.completer())]
        rollout: RolloutId,
    },
}

/// A rollout and its rules. What is left out has the default of the API.
#[derive(Debug, Args)]
pub struct RolloutCreate {
    #[command(flatten)]
    pub what: NamedPayload,

    #[command(flatten)]
    pub targets: TargetFlags,

    /// A wave: a number of terminals, a share such as 10%, or rest; with a rate a second behind @, such as rest@50. Repeat the flag for more
    #[arg(long = "wave", value_name = "SIZE[@RATE]", required = true, value_parser = wave)]
    pub waves: Vec<WaveRequest>,

    /// The share of a wave that must have confirmed the command before the next begins, from 0 to 1. Default: 0.95
    #[arg(long, value_name = "SHARE")]
    pub succeeded: Option<f64>,

    /// Who has not confirmed the command for so long is silent. Default: 10m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub within: Option<Duration>,

    /// The share of failures beyond which the rollout stops, from 0 to 1. Default: 0.1
    #[arg(long, value_name = "SHARE")]
    pub max_failed: Option<f64>,

    /// The share of silent terminals beyond which the rollout stops, from 0 to 1. Default: 0.1
    #[arg(long, value_name = "SHARE")]
    pub max_silent: Option<f64>,

    /// How many must have answered or be silent before shares are judged. Default: 5
    #[arg(long, value_name = "N")]
    pub minimum: Option<u64>,

    /// When the rollout starts, such as 2026-12-01T22:00:00Z. Default: now
    #[arg(long, value_name = "TIME")]
    pub start_at: Option<Timestamp>,

    /// The only times at which something is sent: 'mon,tue 22:00-06:00 Asia/Shanghai', or without the days. Default: always
    #[arg(long, value_name = "WINDOW", value_parser = window)]
    pub window: Option<TimeWindow>,

    /// How long the command may still be run after it was sent. Default: as long as --within
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub expires_in: Option<Duration>,

    /// What a terminal must report to be done
    #[arg(long, value_enum, default_value = "ack")]
    pub confirm: ConfirmName,

    /// Each terminal waits a random time up to this
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub stagger: Option<Duration>,

    /// Follow it until it ends, for at most this long: --wait=30s
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "24h", value_parser = humantime::parse_duration)]
    pub wait: Option<Duration>,

    /// Do not ask before it is made
    #[arg(long, short)]
    pub yes: bool,

    /// The same key and rollout are one, however often this is called. Default: a new key
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

fn wave(text: &str) -> Result<WaveRequest, String> {
    let wanted = || "a number such as 10, a share such as 10%, or rest; with a rate behind @".to_owned();
    let (size, rate) = match text.split_once('@') {
        Some((size, rate)) => (size, Some(rate.parse().map_err(|_| wanted())?)),
        None => (text, None),
    };
    let size = match (size, size.strip_suffix('%')) {
        ("rest", _) => WaveSize::Rest,
        (_, Some(percent)) => WaveSize::Percent(percent.parse().map_err(|_| wanted())?),
        (count, None) => WaveSize::Count(count.parse().map_err(|_| wanted())?),
    };
    Ok(WaveRequest { size, rate })
}

fn window(text: &str) -> Result<TimeWindow, String> {
    let words: Vec<_> = text.split_whitespace().collect();
    let (days, hours, zone) = match words[..] {
        [days, hours, zone] => (days.split(',').collect(), hours, zone),
        [hours, zone] => (Vec::new(), hours, zone),
        _ => return Err("[DAYS] FROM-TO ZONE, such as 'mon,tue 22:00-06:00 Asia/Shanghai'".into()),
    };
    let (from, to) = hours.split_once('-').ok_or("the hours are FROM-TO, such as 22:00-06:00")?;
    let window = json!({ "days": days, "from": from, "to": to, "zone": zone });
    serde_json::from_value(window).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_is_a_number_a_share_or_the_rest() {
        let read = |text: &str| wave(text).map(|wave| (wave.size, wave.rate)).ok();
        assert_eq!(read("10"), Some((WaveSize::Count(10), None)));
        assert_eq!(read("2.5%@10"), Some((WaveSize::Percent(2.5), Some(10.0))));
        assert_eq!(read("rest@0.5"), Some((WaveSize::Rest, Some(0.5))));
        for bad in ["", "ten", "%", "rest@", "10@x", "-1"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_window_has_days_hours_and_a_zone() {
        let read = window("mon,sun 22:00-06:00 Asia/Shanghai").unwrap();
        assert_eq!((read.days.len(), read.from.minutes(), read.zone.as_str()), (2, 1320, "Asia/Shanghai"));
        assert!(window("22:00-06:00 UTC").unwrap().days.is_empty());
        for bad in ["", "22:00-06:00", "mon 22-06 UTC", "someday 22:00-06:00 UTC"] {
            assert!(window(bad).is_err(), "{bad}");
        }
    }
}
