//! The charts of the HTML page.

use crate::{
    names::{self, POINTS},
    report::{
        Report, TimelineRow,
        chart::{Chart, ChartLine, Scale},
    },
};

fn over_time(report: &Report, unit: &'static str, scale: Scale, lines: Vec<ChartLine>) -> Chart {
    let seconds = report.timeline.len().max(1) * report.timeline_step_s as usize;
    let step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600].into_iter().find(|step| seconds / step <= 12).unwrap_or(1800);
    Chart {
        unit,
        scale,
        below: (0..=seconds / step).map(|n| ((n * step) as f64, format!("{} s", n * step))).collect(),
        span: (0.0, seconds as f64),
        lines,
        marks: report.marks.iter().map(|mark| (mark.at, mark.text.clone())).collect(),
    }
}

fn series(report: &Report, class: &'static str, name: &str, value: impl Fn(&TimelineRow) -> Option<f64>) -> ChartLine {
    let points = report.timeline.iter().enumerate();
    let points = points.map(|(n, step)| ((n as f64 + 0.5) * report.timeline_step_s as f64, value(step)));
    ChartLine { class, name: name.to_owned(), points: points.collect() }
}

/// The latency of each step of the run.
pub(super) fn latency(report: &Report) -> Chart {
    let lines = vec![
        series(report, "max", "max", |step| step.max),
        series(report, "p99", "p99", |step| step.p99),
        series(report, "p50", "p50", |step| step.p50),
    ];
    over_time(report, "ms, by when it was due", Scale::Log, lines)
}

/// The terminals online, and the deliveries and losses of each step of the run.
pub(super) fn online(report: &Report) -> Chart {
    let lines = vec![
        series(report, "p50", "terminals online", |step| Some(step.online as f64)),
        series(report, "p99", "deliveries a second", |step| Some(step.received as f64 / report.timeline_step_s as f64)),
        series(report, "lost", "lost", |step| Some(step.lost as f64).filter(|lost| *lost > 0.0)),
    ];
    over_time(report, "", Scale::Linear, lines)
}

/// The latency by percentile, on a horizontal axis that grows by one with each nine of the percentile (90 %, 99 %,
/// 99.9 %).
pub(super) fn percentiles(report: &Report) -> Chart {
    let nines = |share: f64| -(1.0 - share).log10();
    let line = |(name, class): (&str, &'static str)| {
        let figures = report.latencies.get(name)?;
        let points = POINTS.iter().filter(|(point, _)| *point != "max");
        let points = points.map(|(point, share)| (nines(*share), figures.points.get(*point).map(|p| p.milliseconds())));
        Some(ChartLine { class, name: name.to_owned(), points: points.collect() })
    };
    let names = [(names::LIVE, "p99"), (names::SERVICE, "p50"), (names::REPLAY, "max"), (names::CONNECT, "grey")];
    let labels = POINTS.iter().filter(|(point, _)| *point != "max");
    Chart {
        unit: "ms",
        scale: Scale::Log,
        below: labels.map(|(point, share)| (nines(*share), (*point).to_owned())).collect(),
        span: (0.0, 4.2),
        lines: names.into_iter().filter_map(line).collect(),
        marks: Vec::new(),
    }
}
