//! Whether a run is worse than earlier runs of the same load (`--baseline`). The earlier runs differ among themselves: that
//! is the noise. A run is a regression if it is worse than the worst of them by more than the noise.

use std::{fs, path::PathBuf};

use anyhow::{Context, ensure};

use super::{Report, SCHEMA};
use crate::{names, verdict::times};

/// The number of runs that are needed to tell noise.
const REPEATS: usize = 3;

/// The name of a count, and how to get it.
type ComparedCount = (&'static str, fn(&Report) -> u64);

/// Reads reports as `--json` wrote them. Fails if a file can't be read, is not a report, or has another schema.
pub fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Report>> {
    let one = |file: &PathBuf| {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let report: Report = serde_json::from_str(&text).with_context(|| format!("{} is no report", file.display()))?;
        ensure!(report.schema == SCHEMA, "{} has schema {}, not {SCHEMA}", file.display(), report.schema);
        Ok(report)
    };
    files.iter().map(one).collect()
}

/// Reads the reports of `--baseline`; none if there are no files. Fails if there are too few to tell noise, or if one is of
/// another number of terminals.
pub fn read_for(files: &[PathBuf], terminals: usize) -> anyhow::Result<Vec<Report>> {
    let reports = read(files).context("--baseline")?;
    ensure!(
        files.is_empty() || files.len() >= REPEATS,
        "--baseline needs the reports of {REPEATS} or more runs, to tell noise: give --baseline A.json,B.json,C.json"
    );
    for (file, report) in files.iter().zip(&reports) {
        let theirs = report.terminals;
        ensure!(theirs == terminals, "--baseline {}: a run of {theirs} terminals, not of {terminals}", file.display());
    }
    Ok(reports)
}

/// In what `report` is worse than its baseline, one text for each figure. Times that are not to be trusted, in the run or
/// in its baseline, are left out.
pub fn regressions(report: &Report, baseline: &[Report]) -> Vec<String> {
    let all = || baseline.iter().chain([report]);
    let is_trusted = |name: &str| all().all(|report| !times::untrusted(&report.verdict.times).contains(&name));
    let servers = names::LATENCIES.into_iter().filter(|name| ![names::LAG, names::CANARY].contains(name));
    let mut worse = Vec::new();
    for name in servers.filter(|name| is_trusted(name)) {
        for point in ["p50", "p99"] {
            let value = |report: &Report| Some(report.latencies.get(name)?.points.get(point)?.milliseconds());
            worse.extend(regression(&format!("{name}.{point} ms"), report, baseline, value));
        }
    }
    let counts: [ComparedCount; 5] = [
        ("lost", |report| report.behaved().lost()),
        ("delivered twice", |report| report.frames.dup_app),
        ("refused", |report| report.messages.refused),
        ("sessions lost", |report| report.connections.lost),
        ("attempts failed", |report| report.connections.failed),
    ];
    for (name, count) in counts {
        worse.extend(regression(name, report, baseline, |report| Some(count(report) as f64)));
    }
    worse
}

fn regression(
    name: &str,
    report: &Report,
    baseline: &[Report],
    value: impl Fn(&Report) -> Option<f64>,
) -> Option<String> {
    let found = value(report)?;
    let before: Vec<f64> = baseline.iter().filter_map(&value).collect();
    let least = before.iter().copied().reduce(f64::min)?;
    let most = before.iter().copied().reduce(f64::max)?;
    let is_worse = before.len() >= REPEATS && found > most + (most - least);
    is_worse.then(|| format!("{name} {found:.2}, before {least:.2} to {most:.2}"))
}
