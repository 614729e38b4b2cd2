//! Shows rollouts, and pauses, resumes and stops them.

use hyper::Method;
use muster_protocol::{
    RolloutId,
    api::{RolloutView, WaveView},
};

use crate::{
    api::{ClusterApi, ListQuery},
    cli::RowLimit,
    exit::Exit,
    list::ShownList,
    text::{Printer, TextTable, ago, count, grouped, moment, one_line, selected},
};

/// Lists rollouts.
pub async fn list(api: &ClusterApi, out: &Printer, limit: RowLimit) -> anyhow::Result<Exit> {
    let shown = ShownList {
        field: "rollouts",
        cursor: "after",
        head: ["ROLLOUT", "NAME", "STATE", "AGE", "BY", "WAVE", "TARGETS", "REASON"],
        cells,
    };
    shown.print(api, out, ListQuery::new("/v1/rollouts").pages_of(50), limit).await
}

fn cells(rollout: &RolloutView) -> [String; 8] {
    [
        rollout.id.to_string(),
        rollout.name.clone(),
        rollout.state.name().to_owned(),
        ago(rollout.created_at),
        rollout.by.clone().unwrap_or_else(|| "-".to_owned()),
        format!("{}/{}", rollout.wave, rollout.of),
        rollout.targets.map_or("-".to_owned(), grouped),
        rollout.reason.clone().unwrap_or_default(),
    ]
}

/// Shows a rollout and its waves.
pub async fn show(api: &ClusterApi, out: &Printer, id: RolloutId) -> anyhow::Result<Exit> {
    let answer = api.call(Method::GET, &format!("/v1/rollouts/{id}")).await?;
    let rollout: RolloutView = answer.read()?;
    out.either(&answer.text(), || described(&rollout))?;
    Ok(Exit::Done)
}

/// Pauses, resumes or stops a rollout, and says where it stands then.
pub async fn change(api: &ClusterApi, out: &Printer, id: RolloutId, verb: &str) -> anyhow::Result<Exit> {
    let answer = api.call(Method::POST, &format!("/v1/rollouts/{id}/{verb}")).await?;
    let rollout: RolloutView = answer.read()?;
    out.either(&answer.text(), || line(&rollout))?;
    Ok(Exit::Done)
}

/// Returns where a rollout stands, on a line.
pub fn line(rollout: &RolloutView) -> String {
    let why = rollout.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let unsent = match (rollout.targets, rollout.unsent) {
        (Some(targets), Some(unsent)) => format!(", {} of {} not sent", grouped(unsent), count(targets, "terminal")),
        _ => String::new(),
    };
    let state = rollout.state.name();
    one_line(&format!("{} {state}{why}: wave {} of {}{unsent}", rollout.id, rollout.wave, rollout.of))
}

/// Returns a rollout with a table of its waves.
pub fn described(rollout: &RolloutView) -> String {
    let target = rollout.request.as_ref().map_or("-".to_owned(), |request| selected(&request.target));
    let number = |number: Option<u64>| number.map_or("-".to_owned(), grouped);
    let rows = [
        ("rollout", rollout.id.to_string()),
        ("name", rollout.name.clone()),
        ("state", rollout.state.name().to_owned()),
        ("reason", rollout.reason.clone().unwrap_or_else(|| "-".to_owned())),
        ("to", target),
        ("by", rollout.by.clone().unwrap_or_else(|| "-".to_owned())),
        ("created", format!("{} ({} ago)", moment(rollout.created_at), ago(rollout.created_at))),
        ("targets", number(rollout.targets)),
        ("not sent", number(rollout.unsent)),
    ];
    let rows = rows.iter().map(|(name, value)| format!("{name:<12}{}", one_line(value))).collect::<Vec<_>>();
    let mut table = TextTable::new(&["WAVE", "TARGETS", "NOT SENT", "BEGAN", "STATES"]);
    for (index, wave) in rollout.waves.iter().flatten().enumerate() {
        table.row([
            (index + 1).to_string(),
            number(wave.targets),
            number(wave.unsent),
            wave.began_at.map_or("-".to_owned(), |at| format!("{} ago", ago(at))),
            states(wave),
        ]);
    }
    format!("{}\n\n{}", rows.join("\n"), table.lines())
}

fn states(wave: &WaveView) -> String {
    let skipped =
        Some(wave.skipped).filter(|skipped| *skipped > 0).map(|skipped| format!("{} skipped", grouped(skipped)));
    let counts = wave.counts.iter().map(|(state, count)| format!("{} {}", grouped(*count), state.name()));
    counts.chain(skipped).collect::<Vec<_>>().join(", ")
}
