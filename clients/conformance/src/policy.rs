//! The times of the client's policy, as the program reads them in MUSTER_POLICY.

use serde::Serialize;

/// All times in milliseconds. The defaults are about 1/100 of those of a client.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PolicyTimes {
    /// The range of the first delay.
    pub first_ms: u64,
    /// The widest range.
    pub cap_ms: u64,
    /// How long a session lasts before the range begins anew.
    pub stable_ms: u64,
    /// The longest time between two attempts without a good token.
    pub slow_ms: u64,
    /// A longer hint counts as this.
    pub hint_cap_ms: u64,
    /// How long an attempt may take.
    pub deadline_ms: u64,
}

impl Default for PolicyTimes {
    fn default() -> Self {
        Self { first_ms: 50, cap_ms: 300, stable_ms: 600, slow_ms: 3000, hint_cap_ms: 6000, deadline_ms: 5000 }
    }
}
