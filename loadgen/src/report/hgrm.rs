//! Histograms in the formats of HdrHistogram's own tools: a percentile table for each time (`NAME.hgrm`), and all
//! seconds as an interval log (`intervals.hlog`).

use std::{
    fmt::Write as _,
    fs::{self, File},
    path::Path,
    time::Duration,
};

use hdrhistogram::serialization::{
    V2DeflateSerializer,
    interval_log::{IntervalLogWriterBuilder, Tag},
};

use super::Report;
use crate::measure::{Latency, Tally};

/// Writes the files into the directory `dir`, which is created if needed. Times without a sample have no table.
/// Fails if a file can't be written.
pub fn write(dir: &Path, tally: &Tally, report: &Report) -> anyhow::Result<()> {
    fs::create_dir_all(dir)?;
    for (name, latency) in tally.latencies.iter().filter(|(_, latency)| latency.count() > 0) {
        fs::write(dir.join(format!("{name}.hgrm")), table(latency))?;
    }
    intervals(&dir.join("intervals.hlog"), tally, report)
}

/// The percentile table that HdrHistogram's plotters read, in milliseconds.
fn table(latency: &Latency) -> String {
    let histogram = latency.histogram();
    let mut table = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut total = 0;
    for value in histogram.iter_quantiles(5) {
        total += value.count_since_last_iteration();
        let (at, share) = (value.value_iterated_to() as f64 / 1e6, value.quantile_iterated_to());
        let _ = match share < 1.0 {
            true => writeln!(table, "{at:>12.3} {share:>2.12} {total:>10} {:>14.2}", 1.0 / (1.0 - share)),
            false => writeln!(table, "{at:>12.3} {share:>2.12} {total:>10}"),
        };
    }
    let (mean, deviation) = (histogram.mean() / 1e6, histogram.stdev() / 1e6);
    let _ = writeln!(table, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]");
    let _ = writeln!(
        table,
        "#[Max     = {:>12.3}, Total count    = {:>12}]",
        histogram.max() as f64 / 1e6,
        latency.count()
    );
    table
}

/// Writes the interval log: for each step the live latencies of the messages due in it, then every histogram of
/// the whole run.
fn intervals(file: &Path, tally: &Tally, report: &Report) -> anyhow::Result<()> {
    let mut file = File::create(file)?;
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&format!("muster-loadgen {}, schedule {}", report.title, report.schedule))
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut file, &mut serializer)
        .map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let step = Duration::from_secs(tally.timeline.step_s);
    for (number, row) in tally.timeline.steps.iter().enumerate().filter(|(_, row)| row.latency.count() > 0) {
        log.write_histogram(row.latency.histogram(), step * number as u32, step, Tag::new("live"))
            .map_err(|error| anyhow::anyhow!("{error:?}"))?;
    }
    for (name, latency) in &tally.latencies {
        let whole = step * tally.timeline.steps.len() as u32;
        log.write_histogram(latency.histogram(), Duration::ZERO, whole, Tag::new(&format!("all-{name}")))
            .map_err(|error| anyhow::anyhow!("{error:?}"))?;
    }
    Ok(())
}
