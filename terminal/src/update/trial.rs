//! How often and how long a new program may try to come back.

use std::time::Duration;

use muster_protocol::CommandId;
use serde::{Deserialize, Serialize};

use super::updated_program::UpdatedProgram;
use crate::platform;

/// How often a new program may be started. An end by a power cut counts too.
pub const STARTS_MAX: u32 = 3;

/// A program that has to prove itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateTrial {
    /// The command that brought the program.
    pub command: CommandId,
    /// The program.
    pub program: UpdatedProgram,
    /// How often the program was started.
    pub starts: u32,
    /// When the program was started first since the last boot.
    pub since: BootTime,
    /// How long the trial may take, in seconds.
    pub bound: u64,
}

/// A time that no change of the clock moves: the seconds since the box was booted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootTime {
    /// Which boot.
    pub boot: String,
    /// How many seconds ago the box was booted. The time in which it slept counts too.
    pub seconds: u64,
}

impl BootTime {
    /// Returns the time now.
    pub fn now() -> Self {
        Self { boot: platform::boot_id(), seconds: platform::seconds_since_boot() }
    }
}

impl UpdateTrial {
    /// Counts a start. Returns how long the program may still take, which is at least 1 s.
    ///
    /// # Errors
    /// If the program was started too often, or has taken too long. The text says which.
    pub fn begin_start(&mut self, now: &BootTime) -> Result<Duration, String> {
        if self.starts >= STARTS_MAX {
            return Err(format!("it was started {STARTS_MAX} times, and did not come back and stay"));
        }
        // After another boot the box may have been without power for long, which is not the program's fault.
        if self.starts == 0 || self.since.boot != now.boot {
            self.since = now.clone();
        }
        let left = self.bound.saturating_sub(now.seconds.saturating_sub(self.since.seconds));
        if left == 0 {
            return Err(format!("it did not come back and stay within {} s", self.bound));
        }
        self.starts += 1;
        Ok(Duration::from_secs(left))
    }
}
