//! What a run came to, as a table for people and as JSON for programs.

use std::{fmt, time::Duration};

use serde_json::{Map, Value, json};

use crate::{config::Config, latency::Latency, ledger::Ledger, log::Log, plan::Plan};

/// The result of a run.
pub struct Report {
    terminals: usize,
    peak: i64,
    seed: u64,
    schedule: u64,
    cut_short: bool,
    ledger: Ledger,
    /// From when a broadcast was due to when a terminal had it: the headline.
    response: Latency,
    /// From when it was really sent.
    service: Latency,
    /// From when it was due to when it was sent: the load generator's own delay.
    lag: Latency,
    /// From when a terminal was to connect to when it was ready.
    connect: Latency,
    refusal: Option<String>,
}

impl Report {
    /// Judges what was written down.
    pub fn new(config: &Config, plan: &Plan, log: &Log, cut_short: bool) -> Self {
        let sent = log.sent().clone();
        let mut due: Vec<_> = plan.broadcasts.iter().map(|due| (*due, *due)).collect();
        sent.iter().for_each(|sent| due[sent.number].1 = sent.at);
        let lines: Vec<_> = (0..config.line.terminals).map(|number| log.terminal(number).clone()).collect();
        let arrivals = || lines.iter().flat_map(|lines| &lines.arrivals).filter(|arrival| arrival.number < due.len());
        let since = |from: fn(&(Duration, Duration)) -> Duration| {
            Latency::of(arrivals().map(|arrival| arrival.at.saturating_sub(from(&due[arrival.number]))))
        };
        let connects = lines.iter().zip(&plan.stays).flat_map(|(lines, stays)| lines.ready.iter().zip(stays));
        Self {
            terminals: config.line.terminals,
            peak: log.peak(),
            seed: plan.seed,
            schedule: plan.hash(),
            cut_short,
            ledger: Ledger::new(config, plan, log),
            response: since(|due| due.0),
            service: since(|due| due.1),
            lag: Latency::of(sent.iter().map(|sent| sent.at.saturating_sub(plan.broadcasts[sent.number]))),
            connect: Latency::of(connects.filter_map(|(ready, stay)| Some((*ready)?.saturating_sub(stay.from)))),
            refusal: sent.into_iter().find_map(|sent| sent.refused),
        }
    }

    /// Whether every message arrived, once, and everyone was let in.
    pub fn is_clean(&self) -> bool {
        !self.cut_short && self.ledger.is_clean()
    }

    /// The same as JSON, with times in milliseconds.
    pub fn json(&self) -> String {
        let figures = |latency: &Latency| -> Value {
            latency
                .figures()
                .into_iter()
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .collect::<Map<_, _>>()
                .into()
        };
        let report = json!({
            "schema": 1, "clean": self.is_clean(), "cut_short": self.cut_short,
            "seed": self.seed, "schedule": format!("{:016x}", self.schedule),
            "terminals": self.terminals, "peak_online": self.peak, "ledger": self.ledger,
            "response_ms": figures(&self.response), "service_ms": figures(&self.service),
            "lag_ms": figures(&self.lag), "connect_ms": figures(&self.connect),
        });
        format!("{report:#}\n")
    }

    fn verdict(&self) -> String {
        let Ledger { refused, late, missing, duplicates, strange, never_connected, expected, .. } = &self.ledger;
        let faults = [
            (*refused, "broadcasts refused"),
            (*late, "late"),
            (*missing, "missing"),
            (*duplicates, "duplicates"),
            (*strange, "strange"),
            (*never_connected, "never connected"),
            (u64::from(*expected == 0), "run in which nothing was expected"),
            (u64::from(self.cut_short), "run cut short"),
        ];
        let faults: Vec<_> =
            faults.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        if faults.is_empty() {
            "ok: every message arrived, once".into()
        } else {
            format!("FAIL: {}", faults.join(", "))
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ledger = &self.ledger;
        writeln!(f)?;
        row(f, "terminals", &[(self.terminals as u64, "in all"), (self.peak as u64, "online at most")])?;
        row(
            f,
            "connections",
            &[(ledger.connects, "made"), (ledger.unplanned, "lost unplanned"), (ledger.never_connected, "never made")],
        )?;
        row(
            f,
            "broadcasts",
            &[(ledger.planned, "planned"), (ledger.accepted, "accepted"), (ledger.refused, "refused")],
        )?;
        if let Some(refusal) = &self.refusal {
            writeln!(f, "             the first refusal: {refusal}")?;
        }
        row(f, "deliveries", &[(ledger.expected, "expected"), (ledger.on_time, "on time"), (ledger.late, "late")])?;
        row(f, "", &[(ledger.missing, "missing"), (ledger.duplicates, "duplicates"), (ledger.strange, "strange")])?;
        row(f, "no fault", &[(ledger.extra, "extra"), (ledger.repeated, "repeated and recognized")])?;
        writeln!(f, "\nmilliseconds {}", Latency::heading())?;
        writeln!(f, "  response   {}  from when it was due to when a terminal had it", self.response)?;
        writeln!(f, "  service    {}  from when it was sent", self.service)?;
        writeln!(f, "  lag        {}  of the load generator itself", self.lag)?;
        writeln!(f, "  connect    {}  from wanting to connect to ready", self.connect)?;
        writeln!(f, "\n{}", self.verdict())
    }
}

/// Counts with their names, in columns.
fn row(f: &mut fmt::Formatter<'_>, title: &str, cells: &[(u64, &str)]) -> fmt::Result {
    let cells: String = cells.iter().map(|(count, name)| format!("{:>10} {name:<15}", grouped(*count))).collect();
    writeln!(f, "{}", format!("{title:<11}{cells}").trim_end())
}

/// A number as people read it: 185,915.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let (head, tail) = digits.split_at(digits.len() % 3);
    let mut groups: Vec<_> = if head.is_empty() { vec![] } else { vec![head] };
    groups.extend(tail.as_bytes().chunks(3).map(|group| std::str::from_utf8(group).expect("digits are ASCII")));
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (185_915, "185,915"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
