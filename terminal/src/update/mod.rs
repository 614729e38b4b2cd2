//! The update of the agent by itself. The command `update` brings a signed program, which runs on trial until it has
//! proved that it comes back.
//!
//! ```text
//!   command ──▶ request ──▶ fetched ──▶ record: on trial ──▶ start ──▶ online for `steady` ──▶ record: current
//!                                                   └───▶ 3 starts, or `trial` is over ──▶ record: the one before
//! ```
//!
//! The installed program always starts first. It looks into the record, and starts the program that is to run in its
//! own place (`exec`). The record is one file that is replaced by rename, so after a power cut each step has been done
//! whole, or not at all.
//!
//! | Module | What it does |
//! |---|---|
//! | [`request`] | reads and checks what the operator asks for |
//! | [`fetched`] | fetches a program, checks it, and tries whether it starts |
//! | [`record`] | which program runs, and where an update stands |
//! | [`trial`] | how often and how long a new program may try |
//! | [`start`] | starts the program that is to run |
//! | [`agent_update`] | the steps, as the agent takes them |

pub mod agent_update;
pub mod fetched;
pub mod record;
pub mod request;
pub mod start;
pub mod trial;
pub mod updated_program;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::ensure;
use serde::Deserialize;

use crate::{files::parts::PartsBound, limits::check_time};

/// The name of the command.
pub const COMMAND: &str = "update";
/// The name of the program in its signature. The name of its file is this and a part of its hash.
pub const NAME: &str = "muster-terminal";
/// The longest time for fetching.
const WITHIN_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the part of a program that never became whole stays.
const PARTS_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// The longest trial.
const TRIAL_MAX: Duration = Duration::from_secs(24 * 3600);

/// The section `update`. Without it the command `update` is rejected, and the installed program runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateSettings {
    /// The largest program, in bytes; 256 MiB by default.
    #[serde(default = "quarter_gibibyte")]
    pub largest: u64,
    /// How long a program may take to arrive; 1 h by default, 7 days at most.
    #[serde(default = "an_hour", with = "humantime_serde")]
    pub within: Duration,
    /// How long a new program has to come back, over all of its starts; 5 min by default, 1 s to 24 h. After this time
    /// the program before it is put back.
    #[serde(default = "five_minutes", with = "humantime_serde")]
    pub trial: Duration,
    /// How long a new program must be online without a break to be kept; 10 s by default, and less than `trial`.
    #[serde(default = "ten_seconds", with = "humantime_serde")]
    pub steady: Duration,
    /// Whether `http://` may be used; false by default. A program is checked by its signature either way.
    #[serde(default)]
    pub http: bool,
}

impl UpdateSettings {
    /// Checks what the configuration says.
    pub fn check(&self) -> anyhow::Result<()> {
        check_time("update.within", self.within, WITHIN_MAX)?;
        check_time("update.trial", self.trial, TRIAL_MAX)?;
        ensure!(self.trial >= Duration::from_secs(1), "update.trial: it must be at least 1 s");
        ensure!(self.steady < self.trial, "update.steady: it must be less than update.trial");
        Ok(())
    }

    /// Returns what the parts of programs may take: one program, for a week.
    pub fn parts(&self, state: &Path) -> PartsBound {
        PartsBound { folder: folder(state), age: PARTS_FOR, bytes: self.largest }
    }
}

/// Returns the folder for the programs that updates have brought, and their record.
pub fn folder(state: &Path) -> PathBuf {
    state.join("programs")
}

fn quarter_gibibyte() -> u64 {
    256 << 20
}

fn an_hour() -> Duration {
    Duration::from_secs(3600)
}

fn five_minutes() -> Duration {
    Duration::from_secs(300)
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}
