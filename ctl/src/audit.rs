//! Shows who changed what.

use muster_protocol::api::AuditRecord;

use crate::{
    api::{ClusterApi, ListQuery},
    cli::AuditList,
    exit::Exit,
    list::ShownList,
    text::{Printer, moment},
};

/// Lists the records of the audit.
pub async fn list(api: &ClusterApi, out: &Printer, list: AuditList) -> anyhow::Result<Exit> {
    let query =
        ListQuery::new("/v1/audit").with("by", list.by).with("terminal", list.terminal).with("command", list.command);
    let shown = ShownList {
        field: "records",
        cursor: "before",
        head: ["AT", "BY", "CALL", "ABOUT", "TARGETS", "RESULT", "REQUEST"],
        cells,
    };
    shown.print(api, out, query, list.limit).await
}

fn cells(record: &AuditRecord) -> [String; 7] {
    let terminals = record.terminals.iter().map(ToString::to_string);
    let about = terminals.chain(record.command.map(|id| id.to_string())).chain(record.subject.clone());
    let result =
        record.error.as_ref().map_or_else(|| record.status.to_string(), |why| format!("{} {why}", record.status));
    [
        moment(record.at),
        record.by.clone().unwrap_or_else(|| "-".to_owned()),
        format!("{} {}", record.method, record.route),
        about.collect::<Vec<_>>().join(" "),
        record.targets.map_or("-".to_owned(), |targets| targets.to_string()),
        result,
        record.request_id.clone(),
    ]
}
