//! Shows commands, sends them again and cancels them.

use std::time::Duration;

use hyper::Method;
use muster_protocol::{
    CommandId,
    api::{CommandView, TargetView},
};
use uuid::Uuid;

use crate::{
    api::{ClusterApi, ListQuery},
    cli::{CommandList, RowLimit},
    exit::Exit,
    follow::{self, Followed},
    list::ShownList,
    send::{Acceptance, accept},
    text::{Printer, ago, count, moment, note, one_line, selected, states, word},
};

/// Lists commands.
pub async fn list(api: &ClusterApi, out: &Printer, list: CommandList) -> anyhow::Result<Exit> {
    let query = ListQuery::new("/v1/commands")
        .with("state", list.state)
        .with("name", list.name)
        .with("by", list.by)
        .with("terminal", list.terminal)
        .pages_of(100);
    let shown = ShownList {
        field: "commands",
        cursor: "after",
        head: ["COMMAND", "NAME", "STATE", "AGE", "BY", "TO", "TARGETS"],
        cells,
    };
    shown.print(api, out, query, list.limit).await
}

fn cells(command: &CommandView) -> [String; 7] {
    [
        command.id.to_string(),
        command.name.clone(),
        word(&command.state),
        ago(command.created_at),
        command.by.clone().unwrap_or_else(|| "-".to_owned()),
        command.target.as_ref().map_or("-".to_owned(), selected),
        states(command),
    ]
}

/// Shows a command and its targets.
pub async fn show(
    api: &ClusterApi,
    out: &Printer,
    id: CommandId,
    state: Option<String>,
    limit: RowLimit,
) -> anyhow::Result<Exit> {
    let answer = api.call(Method::GET, &format!("/v1/commands/{id}")).await?;
    let command: CommandView = answer.read()?;
    out.either(&answer.text(), || described(&command))?;
    let query = ListQuery::of("/v1/commands", id, "/targets").with("state", state);
    if !out.is_json() {
        out.print("")?;
    }
    let shown = ShownList {
        field: "targets",
        cursor: "after",
        head: ["TERMINAL", "STATE", "AGE", "PAYLOAD"],
        cells: target_cells,
    };
    shown.print(api, out, query, limit).await
}

fn described(command: &CommandView) -> String {
    let payload = command.payload.as_ref().or(command.payload_base64.as_ref());
    let rows = [
        ("command", command.id.to_string()),
        ("name", command.name.clone()),
        ("state", word(&command.state)),
        ("to", command.target.as_ref().map_or("-".to_owned(), selected)),
        ("by", command.by.clone().unwrap_or_else(|| "-".to_owned())),
        ("payload", payload.map_or("null".to_owned(), |payload| payload.as_json().to_owned())),
        ("created", format!("{} ({} ago)", moment(command.created_at), ago(command.created_at))),
        ("expires", moment(command.expires_at)),
        ("targets", states(command)),
    ];
    rows.iter().map(|(name, value)| format!("{name:<12}{}", one_line(value))).collect::<Vec<_>>().join("\n")
}

fn target_cells(target: &TargetView) -> [String; 4] {
    let last = target.at.values().max();
    let payload = Some(target.payload.as_json()).filter(|payload| *payload != "null");
    [
        target.terminal.to_string(),
        word(&target.state),
        last.map_or("-".to_owned(), |at| ago(*at)),
        payload.unwrap_or_default().to_owned(),
    ]
}

/// Sends a command again to those that did not do it.
pub async fn retry(api: &ClusterApi, out: &Printer, id: CommandId, wait: Option<Duration>) -> anyhow::Result<Exit> {
    let (key, mut interrupt) = (Uuid::now_v7().to_string(), follow::interrupt()?);
    let path = format!("/v1/commands/{id}/retry");
    let (command, answer) = match accept(api, &path, "", &key, &mut interrupt).await? {
        Acceptance::Answered(answer) => (answer.read::<CommandView>()?.id, Some(answer)),
        Acceptance::InPart(command) => (command, None),
        Acceptance::Unknown(exit) => return Ok(exit),
    };
    if let Some(wait) = wait {
        let followed = Followed { command, wait, someone_online: true, was_sent: true, interrupt };
        return follow::to_the_end(api, out, followed).await;
    }
    if let Some(answer) = answer {
        let again: CommandView = answer.read()?;
        out.either(&answer.text(), || format!("{command}: {}", states(&again)))?;
    }
    note(&format!("muster watch {command} follows it"));
    Ok(Exit::Done)
}

/// Cancels a command where it was not sent yet.
pub async fn cancel(api: &ClusterApi, out: &Printer, id: CommandId) -> anyhow::Result<Exit> {
    let answer = api.call(Method::DELETE, &format!("/v1/commands/{id}")).await?;
    let command: CommandView = answer.read()?;
    out.either(&answer.text(), || {
        let sent = command.targets - command.counts.get(&muster_protocol::api::TargetState::Cancelled).unwrap_or(&0);
        format!("{id}: {}, {} had it already", word(&command.state), count(sent, "terminal"))
    })?;
    Ok(Exit::Done)
}
