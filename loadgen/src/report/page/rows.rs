//! The texts of the page's tables, row by row.

use upon::{Value, value};

use super::milliseconds;
use crate::{
    names::{self, POINTS},
    report::{Figures, Point, Report, text::TIMES},
};

/// How many faults the page shows.
const EXAMPLES: usize = 40;
const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * 1024.0;

/// The times that are shown large at the top. A time that was not measured has no tile.
pub(super) fn tiles(report: &Report) -> Vec<Value> {
    let tiles = [
        (names::LIVE, "p50", "live p50"),
        (names::LIVE, "p99", "live p99"),
        (names::REPLAY, "p99", "replay p99"),
        (names::CONNECT, "p99", "connect p99"),
    ];
    let tile = |(name, point, what): (&str, &str, &str)| {
        let point = report.latencies.get(name)?.points.get(point)?;
        Some(value! { value: with_unit(point), what: what })
    };
    tiles.into_iter().filter_map(tile).collect()
}

/// A row for each time that has samples or should have.
pub(super) fn times(report: &Report) -> Vec<Value> {
    let row = |(name, what): &(&str, &str)| {
        let figures = report.latencies.get(*name).filter(|figures| figures.count + figures.missing > 0)?;
        let (count, missing) = (figures.count, figures.missing);
        Some(value! { name: *name, what: *what, cells: points(figures), count: count, missing: missing })
    };
    TIMES.iter().filter_map(row).collect()
}

/// A row for each publisher and node, if there is more than one.
pub(super) fn matrix(report: &Report) -> Vec<Value> {
    if report.matrix.len() < 2 {
        return Vec::new();
    }
    let row = |(name, figures): (&String, &Figures)| {
        value! { name: name, cells: points(figures), count: figures.count }
    };
    report.matrix.iter().map(row).collect()
}

/// A row for each mark: the p99 before, during and after it, or the maximum where there are too few samples for a p99;
/// and the seconds until the service was steady again.
pub(super) fn marks(report: &Report) -> Vec<Value> {
    let part = |figures: &Figures| match figures.points.get("p99").or(figures.points.get("max")) {
        Some(point) => cell("", with_unit(point)),
        None => cell("", "–"),
    };
    let rows = report.marks.iter().map(|mark| {
        let steady = match mark.steady_s {
            Some(seconds) => cell("", format!("{} s", milliseconds(seconds))),
            None => cell("bad", "not"),
        };
        let cells = vec![part(&mark.before), part(&mark.during), part(&mark.after), steady];
        value! { mark: format!("{} s · {}", milliseconds(mark.at), mark.text), cells: cells }
    });
    rows.collect()
}

/// A row for each of the first faults, at most [`EXAMPLES`].
pub(super) fn examples(report: &Report) -> Vec<Value> {
    let rows = report.examples.iter().take(EXAMPLES).map(|fault| {
        value! {
            kind: fault.kind.name().replace('_', " "),
            message: fault.message.map_or("?".into(), |message| message.to_string()),
            terminal: &fault.terminal,
            node: &fault.node,
            at: format!("{} s", milliseconds(fault.at as f64 / 1e9)),
        }
    });
    rows.collect()
}

/// A row for each watched process, and one for the generator: name, CPU, CPU for each delivery, memory, memory for each
/// terminal.
pub(super) fn costs(report: &Report) -> Vec<[String; 5]> {
    let reads = report.frames.read.max(1) as f64;
    let peak = report.connections.peak.max(1) as f64;
    let servers = report.servers.processes.iter().map(|(name, cost)| {
        let grown = cost.rss_after.checked_sub(cost.rss_before).filter(|grown| *grown > 0);
        [
            name.clone(),
            format!("{} s", milliseconds(cost.cpu_s)),
            format!("{} µs", milliseconds(cost.cpu_s * 1e6 / reads)),
            format!("{} MiB", milliseconds(cost.rss_after as f64 / MIB)),
            grown.map_or("–".into(), |grown| format!("{} KiB", milliseconds(grown as f64 / KIB / peak))),
        ]
    });
    let own = &report.own;
    let generator = [
        "this generator".into(),
        format!("{} % of {} threads", milliseconds(own.cpu_share * 100.0), own.threads),
        format!("{} µs", milliseconds(own.cpu_us_per_frame)),
        format!("{} MiB", milliseconds(own.rss_bytes as f64 / MIB)),
        format!("{} KiB", milliseconds(own.bytes_per_terminal as f64 / KIB)),
    ];
    servers.chain([generator]).collect()
}

/// The p99 against the null server, if it was measured.
pub(super) fn floor_p99(report: &Report) -> Option<String> {
    let point = report.floor.as_ref()?.live.points.get("p99")?;
    matches!(point, Point::Milliseconds(_)).then(|| point.to_string())
}

/// A cell for each point of a distribution.
fn points(figures: &Figures) -> Vec<Value> {
    let point = |(name, _): &(&str, f64)| match figures.points.get(*name) {
        None => cell("soft", "–"),
        Some(point @ Point::Never(_)) => cell("bad", point.to_string()),
        Some(point) => cell("", point.to_string()),
    };
    POINTS.iter().map(point).collect()
}

fn with_unit(point: &Point) -> String {
    match point {
        Point::Never(_) => point.to_string(),
        Point::Milliseconds(_) => format!("{point} ms"),
    }
}

fn cell(class: &str, text: impl Into<String>) -> Value {
    value! { class: class, text: text.into() }
}
