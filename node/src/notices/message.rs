//! Makes the messages of notices.

use jiff::Timestamp;
use muster_protocol::{NoticeName, api::NoticeKind};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::backplane::NoticeMessage;

/// The body of a request.
#[derive(Serialize)]
struct MessageBody<'a> {
    id: Uuid,
    notice: &'a NoticeName,
    kind: NoticeKind,
    at: Timestamp,
    data: &'a RawValue,
}

/// A message that tells of what happened at `at`. `data` is a JSON object.
pub fn message(notice: &NoticeName, kind: NoticeKind, at: Timestamp, data: &RawValue, now: Timestamp) -> NoticeMessage {
    let id = Uuid::now_v7();
    let body = serde_json::to_string(&MessageBody { id, notice, kind, at, data }).expect("a message has a JSON form");
    NoticeMessage { id, kind, body, queued_at: now, attempts: 0 }
}

/// A message by which an operator tries a notice.
pub fn test_message(notice: &NoticeName, by: &str) -> NoticeMessage {
    let now = Timestamp::now();
    message(notice, NoticeKind::Test, now, &raw(&serde_json::json!({ "by": by })), now)
}

/// A value as JSON text.
pub fn raw(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("the value has a JSON form")
}
