//! The plan and the journal as JSON lines, without any sums. Another program (scripts/e2e/muster/ledger.py) computes
//! the numbers of the report from these lines; if they differ, one of the programs is wrong. Times are in nanoseconds
//! since the begin of the run.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

use serde_json::json;

use super::play::PlayedRun;
use crate::{
    adapter::DeliveryPromise,
    clock::nanos,
    config::Config,
    journal::Received,
    measure::promise,
    plan::{Partition, Plan},
};

/// Writes `run.json`, `messages.jsonl` and `terminals.jsonl` into `dir`, which is created if needed.
pub fn write(
    dir: &Path,
    config: &Config,
    plan: &Plan,
    partition: Partition,
    played: &PlayedRun,
    replay: bool,
) -> anyhow::Result<()> {
    fs::create_dir_all(dir)?;
    let promise = promise(config);
    let run = json!({
        "schema": 1, "run": partition.run, "seed": plan.seed, "schedule": format!("{:016x}", plan.hash()),
        "settle": nanos(config.settle), "grace": nanos(config.grace),
        "retention": replay.then(|| nanos(config.retention)),
        "dedupes": promise.repeats, "at_most_once": promise.delivery == DeliveryPromise::AtMostOnce && !replay,
        "measure": plan.measure, "over": played.over,
    });
    fs::write(dir.join("run.json"), format!("{run:#}\n"))?;
    messages(&dir.join("messages.jsonl"), plan, played)?;
    terminals(&dir.join("terminals.jsonl"), plan, partition, played)
}

fn messages(file: &Path, plan: &Plan, played: &PlayedRun) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(file)?);
    for (seq, (message, sent)) in plan.messages.iter().zip(played.journal.all_sent()).enumerate() {
        writeln!(file, "{}", json!({ "seq": seq, "due": message.due, "to": message.to, "sent": sent }))?;
    }
    Ok(file.flush()?)
}

fn terminals(file: &Path, plan: &Plan, partition: Partition, played: &PlayedRun) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(file)?);
    for (number, planned) in plan.terminals.iter().enumerate() {
        let log = played.journal.terminal(number).clone();
        let stays: Vec<_> = planned.stays.iter().map(|stay| json!([stay.from, stay.to, stay.leave])).collect();
        let sessions = log.sessions.iter().map(|session| {
            json!({
                "stay": session.stay, "dialled": session.dialled, "ready": session.ready, "ended": session.ended,
                "node": session.node, "resumed": session.resumed, "lost": session.lost,
            })
        });
        let read = |frames: &[Received]| -> Vec<_> {
            frames.iter().map(|arrival| json!([arrival.message, arrival.copy, arrival.at])).collect()
        };
        let failures = log.failures.iter().map(|failure| json!([failure.dialled, failure.at, failure.unanswered]));
        let line = json!({
            "number": number, "id": partition.id(number).to_string(), "temper": planned.behaviour, "stays": stays,
            "sessions": sessions.collect::<Vec<_>>(), "arrivals": read(&log.arrivals), "binary": read(&log.binary),
            "failures": failures.collect::<Vec<_>>(),
            "gaps": log.gaps, "odd": log.odd, "from_replaced": log.from_replaced,
        });
        writeln!(file, "{line}")?;
    }
    Ok(file.flush()?)
}
