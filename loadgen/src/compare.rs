//! Compares two sets of runs, and says which differences exceed the noise of the repeated runs: if the ranges of
//! both sides overlap, there is no difference, however far apart their medians are.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::{Context, ensure};

use crate::{
    card,
    report::{Report, baseline},
    verdict::RunOutcome,
};

/// Returns the value of a metric in a report by its name; `None` if the report does not have it.
type Value = fn(&Report, &str) -> Option<f64>;
/// The name of a compared metric, and how to get its value.
type ComparedMetric = (String, Value);

/// Reads the reports of both sides, or several cards, and prints a table. Each side is a list of files with commas between.
/// Fails if a file can't be read, is neither a report nor a card, or has another schema.
pub fn run(sides: &[String]) -> anyhow::Result<()> {
    let sides: Vec<Vec<PathBuf>> = sides.iter().map(|side| side.split(',').map(PathBuf::from).collect()).collect();
    let table = match card::table::cards(&sides.iter().flatten().collect::<Vec<_>>())? {
        Some(cards) => card::table::table(&cards)?,
        None => {
            ensure!(sides.len() == 2, "compare needs two sides: A.json,... B.json,...");
            table(&baseline::read(&sides[0])?, &baseline::read(&sides[1])?)
        }
    };
    let mut out = io::stdout().lock();
    write!(out, "{table}").and_then(|()| out.flush()).context("the table on stdout")
}

fn table(left: &[Report], right: &[Report]) -> String {
    let name = |side: &[Report]| format!("{} ({} runs)", side[0].title, side.len());
    let mut table = format!("{:<25} {:>32} {:>32}{:>9}\n", "", name(left), name(right), "ratio");
    for (metric, value) in metrics(left, right) {
        let values = |side: &[Report]| side.iter().filter_map(|report| value(report, &metric)).collect::<Vec<_>>();
        if let (Some(left), Some(right)) = (Range::of(values(left)), Range::of(values(right))) {
            table +=
                &format!("{metric:<25} {left:>32} {right:>32}{:>9}  {}\n", ratio(&left, &right), left.against(&right));
        }
    }
    for report in left.iter().chain(right) {
        let what = match report.verdict.outcome {
            RunOutcome::Invalid => Some("the run is invalid: nobody can know what was delivered".to_owned()),
            RunOutcome::CutShort => Some("the run was cut short".to_owned()),
            _ => None,
        };
        let doubts = report.verdict.doubts().into_iter().map(|doubt| format!("not to be trusted: {doubt}"));
        for what in what.into_iter().chain(doubts) {
            table += &format!("{}, seed {}: {what}\n", report.title, report.seed);
        }
    }
    table
}

/// Returns the metrics to compare: every latency that either side has, and the most important counts.
fn metrics(left: &[Report], right: &[Report]) -> Vec<ComparedMetric> {
    let mut metrics: Vec<ComparedMetric> = Vec::new();
    let mut names: Vec<&String> = left.iter().chain(right).flat_map(|report| report.latencies.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        for point in ["p50", "p99", "max"] {
            metrics.push((format!("{name}.{point} ms"), time));
        }
    }
    let sums: [(&str, Value); 5] = [
        ("lost", |report, _| Some(report.behaved().lost() as f64)),
        ("delivered twice", |report, _| Some(report.frames.dup_app as f64)),
        ("out of order", |report, _| Some(report.reorder.app as f64)),
        ("sessions lost", |report, _| Some(report.connections.lost as f64)),
        ("servers' us per delivery", |report, _| {
            let cpu: f64 = report.servers.processes.values().map(|cost| cost.cpu_s).sum();
            (cpu > 0.0).then(|| cpu * 1e6 / report.frames.read.max(1) as f64)
        }),
    ];
    metrics.extend(sums.map(|(name, value)| (name.to_owned(), value)));
    metrics
}

fn time(report: &Report, metric: &str) -> Option<f64> {
    let (name, point) = metric.trim_end_matches(" ms").split_once('.')?;
    Some(report.latencies.get(name)?.points.get(point)?.milliseconds())
}

/// The minimum, median and maximum of a value over the repeated runs.
struct Range {
    least: f64,
    median: f64,
    most: f64,
    count: usize,
}

impl Range {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        Some(Self { least, median: values[values.len() / 2], most, count: values.len() })
    }

    fn against(&self, other: &Self) -> &'static str {
        match self.least <= other.most && other.least <= self.most {
            _ if self.count < 3 || other.count < 3 => "too few repeats to tell noise: give 3 or more of each",
            true => "within the noise",
            false if self.median < other.median => "beyond the noise: more",
            false => "beyond the noise: less",
        }
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{:.2} [{:.2} .. {:.2}]", self.median, self.least, self.most))
    }
}

fn ratio(left: &Range, right: &Range) -> String {
    if left.median == 0.0 { "-".into() } else { format!("x {:.2}", right.median / left.median) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_ranges_are_no_difference() {
        let range = |values: &[f64]| Range::of(values.to_vec()).unwrap();
        assert_eq!(range(&[1.0, 2.0, 3.0]).against(&range(&[3.0, 4.0, 5.0])), "within the noise");
        assert_eq!(range(&[1.0, 2.0, 2.5]).against(&range(&[3.0, 4.0, 5.0])), "beyond the noise: more");
        assert!(range(&[1.0]).against(&range(&[9.0])).starts_with("too few"));
    }
}
