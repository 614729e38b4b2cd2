//! The report as one HTML page that loads nothing: its style and its charts are part of the file. The page supports
//! light and dark displays and print, and stays readable without this program or a network.

use minijinja::{Environment, Value, context, value::Serde};

use super::{
    Report, SecondRow,
    chart::{Chart, ChartLine, Scale},
    text::TIMES,
};
use crate::{
    measure::Account,
    names::{self, POINTS},
};

/// Renders the report as an HTML page. Fails if the template can't be rendered.
pub fn render(report: &Report) -> anyhow::Result<String> {
    let mut page = Environment::new();
    page.add_filter("ms", |ms: f64| milliseconds(ms));
    page.add_filter("count", count);
    page.add_template("page.html", include_str!("page.html"))?;
    let mut all = Account::default();
    report.ledger.values().for_each(|account| all.add(account));
    let values = context! {
        report => Value::from(Serde(report)),
        outcome => report.verdict.outcome.label(),
        sentence => report.verdict.sentence(),
        all => Value::from(Serde(all)),
        lost => report.behaved().lost(),
        times => TIMES,
        ledger => Value::from(Serde(report.ledger.iter().collect::<Vec<_>>())),
        points => POINTS.map(|(name, _)| name),
        latency => latency(report).svg(),
        online => online(report).svg(),
        percentiles => percentiles(report).svg(),
    };
    Ok(page.get_template("page.html")?.render(values)?)
}

/// Shows three significant digits, because the histogram has no more. Below 1 ms two decimals remain.
fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.2}"),
        ms if ms < 100.0 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    }
}

/// The number without decimals, with a narrow no-break space between groups of three digits.
fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let group = |(n, digit): (usize, char)| {
        let space = n > 0 && (digits.len() - n).is_multiple_of(3);
        space.then_some('\u{202f}').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(group).collect()
}

fn over_time(report: &Report, unit: &'static str, scale: Scale, lines: Vec<ChartLine>) -> Chart {
    let seconds = report.timeline.len().max(1);
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

fn series(report: &Report, class: &'static str, name: &str, value: impl Fn(&SecondRow) -> Option<f64>) -> ChartLine {
    let points = report.timeline.iter().enumerate().map(|(n, second)| (n as f64 + 0.5, value(second)));
    ChartLine { class, name: name.to_owned(), points: points.collect() }
}

fn latency(report: &Report) -> Chart {
    let lines = vec![
        series(report, "max", "max", |second| second.max),
        series(report, "p99", "p99", |second| second.p99),
        series(report, "p50", "p50", |second| second.p50),
    ];
    over_time(report, "ms, by when it was due", Scale::Log, lines)
}

fn online(report: &Report) -> Chart {
    let lines = vec![
        series(report, "p50", "terminals online", |second| Some(second.online as f64)),
        series(report, "p99", "deliveries a second", |second| Some(second.received as f64)),
        series(report, "lost", "lost", |second| Some(second.lost as f64).filter(|lost| *lost > 0.0)),
    ];
    over_time(report, "", Scale::Linear, lines)
}

/// The latency by percentile, on a horizontal axis that grows by one with each nine of the percentile (90 %, 99 %,
/// 99.9 %).
fn percentiles(report: &Report) -> Chart {
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
