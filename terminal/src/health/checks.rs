//! The operator's own checks: programs that end with 0 if all is well.

use std::{collections::BTreeMap, future, time::Duration};

use muster_protocol::frame::Condition;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::{allowed::check_program, limits::check_time, program::ProgramCall};

/// The longest time that a check may take.
const WITHIN_MAX: Duration = Duration::from_secs(60);

/// One check of the section `health.checks`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// The program, as a path from the root, and its arguments. It ends with 0 if all is well.
    pub program: Vec<String>,
    /// How long the program may take; 5 s by default, 60 s at most. A check that takes longer has failed.
    #[serde(default = "five_seconds", with = "humantime_serde")]
    within: Duration,
    /// The condition of the box while the check fails: `failing`, which is the default, or `degraded`.
    #[serde(default = "failing")]
    condition: Condition,
}

impl HealthCheck {
    /// Checks what the configuration says.
    pub fn check(&self) -> anyhow::Result<()> {
        check_program(&self.program)?;
        check_time("within", self.within, WITHIN_MAX)
    }

    /// Returns the condition of the box while the check fails.
    pub fn means(&self) -> Condition {
        self.condition
    }
}

/// Runs all checks at the same time. Returns which of them passed.
pub async fn run_all(checks: &BTreeMap<String, HealthCheck>) -> BTreeMap<String, bool> {
    let mut running = JoinSet::new();
    for (name, check) in checks {
        let (name, call) = (name.clone(), ProgramCall { line: check.program.clone(), within: check.within });
        running.spawn(async move { (name, call.run(|_| future::ready(())).await.succeeded) });
    }
    running.join_all().await.into_iter().collect()
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn failing() -> Condition {
    Condition::Failing
}
