//! The plan, and all that was seen, as JSON lines: raw, without any sum. Another program (scripts/loadgen/check) reaches the same numbers
//! from them, or one of the two is wrong. Times are nanoseconds of the run.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

use serde_json::json;

use super::play::Played;
use crate::{
    clock::nanos,
    config::{Config, Target},
    plan::Plan,
    play::fleet::Part,
};

/// Writes `run.json`, `messages.jsonl` and `terminals.jsonl` into a directory, which is made.
pub fn write(
    dir: &Path,
    config: &Config,
    plan: &Plan,
    part: Part,
    played: &Played,
    replay: bool,
) -> anyhow::Result<()> {
    fs::create_dir_all(dir)?;
    let run = json!({
        "schema": 1, "run": part.run, "seed": plan.seed, "schedule": format!("{:016x}", plan.hash()),
        "settle": nanos(config.settle), "grace": nanos(config.grace),
        "retention": replay.then(|| nanos(config.retention)),
        "dedupes": config.target == Target::Muster && !config.line.plain,
        "measure": plan.measure, "over": played.over,
    });
    fs::write(dir.join("run.json"), format!("{run:#}\n"))?;
    messages(&dir.join("messages.jsonl"), plan, played)?;
    terminals(&dir.join("terminals.jsonl"), plan, part, played)
}

fn messages(file: &Path, plan: &Plan, played: &Played) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(file)?);
    for (seq, (message, sent)) in plan.messages.iter().zip(played.journal.all_sent()).enumerate() {
        writeln!(file, "{}", json!({ "seq": seq, "due": message.due, "to": message.to, "sent": sent }))?;
    }
    Ok(file.flush()?)
}

fn terminals(file: &Path, plan: &Plan, part: Part, played: &Played) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(file)?);
    for (number, life) in plan.lives.iter().enumerate() {
        let lines = played.journal.terminal(number).clone();
        let stays: Vec<_> = life.stays.iter().map(|stay| json!([stay.from, stay.to, stay.leave])).collect();
        let sessions = lines.sessions.iter().map(|session| {
            json!({
                "stay": session.stay, "dialled": session.dialled, "ready": session.ready, "ended": session.ended,
                "node": session.node, "resumed": session.resumed, "lost": session.lost,
            })
        });
        let arrivals = lines.arrivals.iter().map(|arrival| json!([arrival.message, arrival.copy, arrival.at]));
        let line = json!({
            "number": number, "id": part.id(number).to_string(), "temper": life.temper, "stays": stays,
            "sessions": sessions.collect::<Vec<_>>(), "arrivals": arrivals.collect::<Vec<_>>(),
            "gaps": lines.gaps, "odd": lines.odd, "from_replaced": lines.from_replaced,
        });
        writeln!(file, "{line}")?;
    }
    Ok(file.flush()?)
}
