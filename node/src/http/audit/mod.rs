//! The audit: who changed what.
//!
//! ```text
//!   call ──▶ trail (what becomes the record) ──▶ queue ──▶ store ──▶ GET /v1/audit
//! ```

mod queue;
mod trail;

use hyper::{Response, StatusCode};
use muster_protocol::{
    CommandId, TerminalId,
    api::{AuditPage, AuditRecord},
};

pub use self::{queue::AuditQueue, trail::AuditTrail};
use super::{
    HttpState,
    answer::{Answer, Body, json},
    request::{self, Limit},
};

/// The calls to the store of one page. Beyond them it is short.
const CALLS: usize = 8;

/// Which records are shown. A record is shown if it meets all conditions.
#[derive(Debug, Default)]
struct Wanted {
    by: Option<String>,
    key: Option<String>,
    terminal: Option<TerminalId>,
    command: Option<CommandId>,
    before: Option<u64>,
    limit: Limit,
}

/// `GET /v1/audit?by=ann&key=ID&terminal=t1&command=ID&before=NEXT&limit=100`: the newest first.
pub async fn list(query: &str, state: &HttpState) -> Answer {
    let wanted = wanted(query)?;
    let (mut page, mut before) = (AuditPage::default(), wanted.before);
    for _ in 0..CALLS {
        let portion = state.shared.backplane.audit(before).await?;
        for (number, record) in portion.records {
            if page.records.len() == wanted.limit.0 {
                page.next = before.map(|before| before.to_string());
                return Ok(json(StatusCode::OK, &page));
            }
            if wanted.has(&record) {
                page.records.push(record);
            }
            before = Some(number);
        }
        before = portion.next;
        page.next = before.map(|before| before.to_string());
        if before.is_none() {
            break;
        }
    }
    Ok(json(StatusCode::OK, &page))
}

impl Wanted {
    fn has(&self, record: &AuditRecord) -> bool {
        let is_command = |wanted: &CommandId| {
            record.command == Some(*wanted) || record.subject.as_deref() == Some(wanted.to_string().as_str())
        };
        self.by.as_ref().is_none_or(|by| record.by.as_ref() == Some(by))
            && self.key.as_ref().is_none_or(|key| record.key.as_ref() == Some(key))
            && self.terminal.as_ref().is_none_or(|terminal| record.terminals.contains(terminal))
            && self.command.as_ref().is_none_or(is_command)
    }
}

fn wanted(text: &str) -> Result<Wanted, Response<Body>> {
    let mut wanted = Wanted::default();
    request::query(text, |name, value| {
        match name {
            "by" => wanted.by = Some(value.to_owned()),
            "key" => wanted.key = Some(value.to_owned()),
            "terminal" => wanted.terminal = Some(value.parse().map_err(|error| format!("{error}"))?),
            "command" => wanted.command = Some(value.parse().map_err(|_| "a command id, which is a UUID")?),
            "before" => wanted.before = Some(value.parse().map_err(|_| "the next of the page before")?),
            "limit" => wanted.limit = value.parse()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_shown_that_meets_every_condition() {
        let id = "0198c0de-0000-7000-8000-000000000001";
        let record = AuditRecord {
            by: Some("ann".into()),
            terminals: vec!["t1".parse().unwrap()],
            subject: Some(id.into()),
            ..AuditRecord::default()
        };
        for (query, is_shown) in [
            ("", true),
            ("by=ann&terminal=t1", true),
            ("by=ann&terminal=t2", false),
            ("by=bob", false),
            ("key=k", false),
            (&format!("command={id}"), true),
        ] {
            assert_eq!(wanted(query).unwrap().has(&record), is_shown, "{query}");
        }
        for bad in ["limit=0", "before=x", "terminal=a%20b", "command=7"] {
            assert!(wanted(bad).is_err(), "{bad}");
        }
    }
}
