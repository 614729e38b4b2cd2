//! Shows terminals and the fleet, and changes what operators may change about a terminal.

use anyhow::Context;
use hyper::Method;
use muster_protocol::{
    TerminalId,
    api::{ChangeKind, FleetView, Status, TerminalChange, TerminalHistory, TerminalView},
    selector::Labels,
};

use crate::{
    api::{ClusterApi, ListQuery},
    cli::{StatusName, TerminalList},
    exit::Exit,
    list::ShownList,
    text::{Printer, TextTable, ago, count, labels, moment, note, one_line, word},
};

/// Lists terminals.
pub async fn list(api: &ClusterApi, out: &Printer, list: TerminalList) -> anyhow::Result<Exit> {
    let status = list.status.map(|status| match status {
        StatusName::Online => "online",
        StatusName::Stale => "stale",
        StatusName::Offline => "offline",
    });
    let query = ListQuery::new("/v1/terminals")
        .with("status", status)
        .with("prefix", list.prefix)
        .with_labels("selector", &list.label)
        .with("match", list.expression);
    let shown = ShownList {
        field: "terminals",
        cursor: "after",
        head: ["TERMINAL", "STATUS", "CONDITION", "NODE", "SINCE", "RTT", "LABELS"],
        cells,
    };
    shown.print(api, out, query, list.limit).await
}

fn cells(terminal: &TerminalView) -> [String; 7] {
    let since = if terminal.status == Status::Offline { terminal.last_seen } else { terminal.connected_at };
    [
        terminal.id.to_string(),
        word(&terminal.status),
        word(&terminal.condition),
        terminal.node.as_ref().map_or("-".to_owned(), ToString::to_string),
        ago(since),
        terminal.rtt_ms.map_or("-".to_owned(), |rtt| format!("{rtt}ms")),
        labels(&terminal.labels),
    ]
}

/// Shows a terminal and its last changes.
pub async fn show(api: &ClusterApi, out: &Printer, id: &TerminalId) -> anyhow::Result<Exit> {
    let answer = api.call(Method::GET, &format!("/v1/terminals/{id}")).await?;
    if out.is_json() {
        out.either(&answer.text(), String::new)?;
        return Ok(Exit::Done);
    }
    let terminal: TerminalView = answer.read()?;
    let history: TerminalHistory = api.get(&format!("/v1/terminals/{id}/history")).await?;
    out.print(&described(&terminal))?;
    if !history.changes.is_empty() {
        let changes: Vec<String> = history.changes.iter().map(|change| one_line(&changed(change))).collect();
        out.print(&format!("\nlast changes\n  {}", changes.join("\n  ")))?;
    }
    Ok(Exit::Done)
}

fn described(terminal: &TerminalView) -> String {
    let some = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let mut rows = vec![
        ("terminal", terminal.id.to_string()),
        ("status", word(&terminal.status)),
        ("condition", word(&terminal.condition)),
        ("labels", labels(&terminal.labels)),
        ("node", some(terminal.node.as_ref().map(ToString::to_string))),
        ("address", some(terminal.address.clone())),
        ("protocol", word(&terminal.protocol)),
        ("connected", format!("{} ({} ago)", moment(terminal.connected_at), ago(terminal.connected_at))),
        ("last seen", format!("{} ({} ago)", moment(terminal.last_seen), ago(terminal.last_seen))),
        ("round trip", some(terminal.rtt_ms.map(|rtt| format!("{rtt} ms")))),
    ];
    let metrics: Vec<String> = terminal.metrics.iter().map(|(name, value)| format!("{name}={value}")).collect();
    rows.push(("metrics", some((!metrics.is_empty()).then(|| metrics.join(" ")))));
    if let Some(close) = &terminal.last_close {
        rows.push(("last close", format!("{} {} {} {}", moment(close.at), close.reason, close.code, close.text)));
    }
    rows.iter().map(|(name, value)| format!("{name:<12}{}", one_line(value))).collect::<Vec<_>>().join("\n")
}

fn changed(change: &TerminalChange) -> String {
    let what = match &change.kind {
        ChangeKind::Online { node } => format!("online at {node}"),
        ChangeKind::Offline { reason, code } => {
            format!("offline: {reason}{}", code.map(|code| format!(" ({code})")).unwrap_or_default())
        }
        ChangeKind::Condition { condition } => format!("condition {}", word(condition)),
        ChangeKind::Labels { by } => format!("labels changed by the {}", word(by)),
        ChangeKind::Contested => "contested by two clients".to_owned(),
    };
    format!("{}  {what}", moment(change.at))
}

/// Sets the labels that operators give a terminal.
pub async fn label(
    api: &ClusterApi,
    out: &Printer,
    id: &TerminalId,
    given: Vec<(String, String)>,
) -> anyhow::Result<Exit> {
    let body = serde_json::to_string(&given.into_iter().collect::<Labels>())?;
    let answer = api.send(Method::PUT, &format!("/v1/terminals/{id}/labels"), body, None).await?;
    let terminal: TerminalView = answer.read()?;
    out.either(&answer.text(), || format!("{id}: {}", one_line(&labels(&terminal.labels))))?;
    Ok(Exit::Done)
}

/// Closes a terminal's session.
pub async fn kick(api: &ClusterApi, out: &Printer, id: &TerminalId) -> anyhow::Result<Exit> {
    let answer = api.call(Method::DELETE, &format!("/v1/terminals/{id}/session")).await?;
    out.either(&answer.text(), || format!("{id}: its session is closed; it comes back"))?;
    Ok(Exit::Done)
}

/// Removes a terminal.
pub async fn forget(api: &ClusterApi, out: &Printer, id: &TerminalId) -> anyhow::Result<Exit> {
    let answer = api.call(Method::DELETE, &format!("/v1/terminals/{id}")).await?;
    out.either(&answer.text(), || format!("{id}: removed; its client stays away"))?;
    Ok(Exit::Done)
}

/// Counts the fleet.
pub async fn fleet(api: &ClusterApi, out: &Printer) -> anyhow::Result<Exit> {
    let answer = api.call(Method::GET, "/v1/fleet").await?;
    if out.is_json() {
        out.either(&answer.text(), String::new)?;
        return Ok(Exit::Done);
    }
    let fleet: FleetView = answer.read().context("GET /v1/fleet")?;
    let total = fleet.online + fleet.stale + fleet.offline;
    let mut table = TextTable::new(&[&count(total, "terminal"), ""]);
    let status = [("online", fleet.online), ("stale", fleet.stale), ("offline", fleet.offline)];
    let rest = [fleet.by_condition, fleet.by_node, fleet.by_label].into_iter().flatten();
    for (name, number) in status.map(|(name, number)| (name.to_owned(), number)).into_iter().chain(rest) {
        table.row([name, number.to_string()]);
    }
    out.print(&table.lines())?;
    if fleet.labels_left_out {
        note("there are more labels than are counted");
    }
    if !fleet.partial.is_empty() {
        note(&format!("parts of the store do not answer, and are not counted: {:?}", fleet.partial));
    }
    Ok(Exit::Done)
}
