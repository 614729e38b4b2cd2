//! What a setting may be.

use std::time::Duration;

use anyhow::ensure;

/// Checks a time that a setting has.
pub fn check_time(name: &str, time: Duration, most: Duration) -> anyhow::Result<()> {
    ensure!(!time.is_zero() && time <= most, "{name}: it must be more than 0 s and at most {most:?}");
    Ok(())
}
