//! A limit of once a minute for warnings whose causes others can repeat as often as they like.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The shortest time between two warnings.
const INTERVAL: Duration = Duration::from_secs(60);

/// When a warning was last written.
#[derive(Debug, Default)]
pub struct WarningPace(Mutex<Option<Instant>>);

impl WarningPace {
    /// Returns whether the warning may be written now. After true it returns false for a minute.
    pub fn is_due(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|at| at.elapsed() >= INTERVAL);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}
