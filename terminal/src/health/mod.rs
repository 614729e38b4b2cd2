//! What the box says of itself: measured figures, and the operator's own checks.
//!
//! | Module | What it does |
//! |---|---|
//! | [`measure`] | reads the figures of the system |
//! | [`checks`] | runs the operator's own checks |

mod checks;
mod measure;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context, ensure};
use muster_protocol::frame::{Condition, Health};
use serde::Deserialize;

use self::{checks::HealthCheck, measure::Cpu};
use crate::{limits::check_time, platform};

/// The most checks, and the most disks: a report has at most 64 figures.
const CHECKS_MAX: usize = 16;
/// The longest time between two reports.
const EVERY_MAX: Duration = Duration::from_secs(3600);

/// The section `health`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthSettings {
    /// How often a report is sent; 30 s by default, 1 h at most.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// The folders whose disks are measured; `/` by default.
    pub disks: Vec<PathBuf>,
    /// A file with the temperature in thousandths of a degree Celsius, as Linux has it under /sys/class/thermal. None
    /// by default.
    pub temperature: Option<PathBuf>,
    /// The box is degraded while the share of a disk that is used is above this; 0.95 by default.
    pub disk_above: f64,
    /// The box is degraded while the share of the memory that is used is above this; 0.95 by default.
    pub memory_above: f64,
    /// The operator's own checks, by name.
    pub checks: BTreeMap<String, HealthCheck>,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(30),
            disks: vec!["/".into()],
            temperature: None,
            disk_above: 0.95,
            memory_above: 0.95,
            checks: BTreeMap::new(),
        }
    }
}

impl HealthSettings {
    /// Checks what the configuration says.
    pub fn check(&self) -> anyhow::Result<()> {
        check_time("health.every", self.every, EVERY_MAX)?;
        ensure!(self.disks.len() <= CHECKS_MAX, "health.disks: at most {CHECKS_MAX}");
        ensure!(self.checks.len() <= CHECKS_MAX, "health.checks: at most {CHECKS_MAX}");
        for (name, check) in &self.checks {
            check.check().with_context(|| format!("health.checks.{name}"))?;
        }
        Ok(())
    }
}

/// Makes the reports.
#[derive(Debug)]
pub struct HealthMonitor {
    settings: HealthSettings,
    cpu: Cpu,
}

impl HealthMonitor {
    /// Returns a monitor that has measured nothing yet.
    pub fn new(settings: HealthSettings) -> Self {
        Self { settings, cpu: Cpu::default() }
    }

    /// Measures, and runs all checks at the same time. Leaves out what can't be measured.
    pub async fn report(&mut self) -> Health {
        let settings = &self.settings;
        let mut figures = BTreeMap::new();
        let mut condition = Condition::Ok;
        figures.extend(self.cpu.share_used().map(|share| ("cpu".to_owned(), share)));
        figures.extend(measure::uptime().map(|seconds| ("uptime".to_owned(), seconds)));
        if let Some(share) = measure::memory_used() {
            worsen(&mut condition, share > settings.memory_above, Condition::Degraded);
            figures.insert("memory".to_owned(), share);
        }
        for disk in &settings.disks {
            if let Some(share) = platform::disk_used(disk) {
                worsen(&mut condition, share > settings.disk_above, Condition::Degraded);
                figures.insert(format!("disk:{}", disk.display()), share);
            }
        }
        let temperature = settings.temperature.as_deref().and_then(measure::temperature);
        figures.extend(temperature.map(|degrees| ("temperature".to_owned(), degrees)));
        for (name, passed) in checks::run_all(&settings.checks).await {
            worsen(&mut condition, !passed, settings.checks[&name].means());
            figures.insert(format!("check:{name}"), f64::from(u8::from(passed)));
        }
        Health { condition, metrics: figures }
    }
}

/// Makes the condition at least as bad as `other`, if `holds` is true.
fn worsen(condition: &mut Condition, holds: bool, other: Condition) {
    let rank = |condition| match condition {
        Condition::Ok => 0,
        Condition::Degraded => 1,
        Condition::Failing => 2,
    };
    if holds && rank(other) > rank(*condition) {
        *condition = other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> HealthSettings {
        toml::from_str(text).unwrap()
    }

    #[tokio::test]
    async fn a_box_measures_itself() {
        let mut monitor = HealthMonitor::new(settings("disks = ['/', '/nowhere']"));
        monitor.report().await;
        let health = monitor.report().await;
        for figure in ["memory", "disk:/", "uptime"] {
            assert!(health.metrics[figure] > 0.0, "{figure}: {:?}", health.metrics);
        }
        assert!(!health.metrics.contains_key("disk:/nowhere"));
        assert!(health.metrics["disk:/"] <= 1.0 && health.metrics["memory"] <= 1.0);
    }

    #[tokio::test]
    async fn the_worst_finding_is_the_condition() {
        let text = "memory_above = 0.0\n[checks.good]\nprogram = ['/bin/true']\n[checks.bad]\nprogram = ['/bin/false']";
        let health = HealthMonitor::new(settings(text)).report().await;
        assert_eq!(health.condition, Condition::Failing);
        assert_eq!((health.metrics["check:good"], health.metrics["check:bad"]), (1.0, 0.0));
        let degraded = HealthMonitor::new(settings("memory_above = 0.0")).report().await;
        assert_eq!(degraded.condition, Condition::Degraded);
    }
}
