//! What is too large is not sent.

use serde_json::json;

use crate::{
    recording::{Observed, Recorded},
    stage::{Stage, Stop, frames},
    timing::QUIET,
};

/// The most that a node takes in one message, as this welcome says.
const MAX_MESSAGE: u64 = 2000;
/// The most that name and payload of an event may have.
const EVENT_MAX: u64 = 8192;

/// A result over the node's limit, and an event over that of events.
pub async fn kept(stage: &mut Stage) -> Result<(), Stop> {
    stage.start();
    let limit = json!({ "max_message": MAX_MESSAGE });
    let mut link = stage.session("R26", "a handshake of the program", limit).await?;
    let id = stage.new_id();
    link.command(&id, "large", json!({ "payload": 3000 })).await;
    let result = stage.answer("R26", &link, "result", &id, "a small result in place of one over max_message").await?;
    let reply = &result["payload"];
    let is_right = result["ok"] == false && reply["error"] == "too_large" && reply["limit"] == MAX_MESSAGE;
    let expected = r#"ok false, with the payload {"error":"too_large","bytes":…,"limit":2000}"#;
    stage.check("R26", is_right && reply["bytes"].is_u64(), expected, || result.to_string());
    let expected = "the program is told of the limit of 2,000 bytes";
    stage.printed("R26", "too_large", expected, |line| line["limit"] == MAX_MESSAGE).await?;
    stage.echo("R26", &mut link, "the session goes on").await?;
    link.close(4003, "").await;

    let mut link = stage.session("R26", "another session after 4003", json!({})).await?;
    let id = stage.new_id();
    let event = json!({ "name": "log", "payload": "x".repeat(9000) });
    link.command(&id, "event", json!({ "payload": event })).await;
    let result = stage.answer("R26", &link, "result", &id, "a result").await?;
    stage.check("R26", result["ok"] == false, "the library refuses an event of 9,000 bytes", || result.to_string());
    let expected = "the program is told of the limit of 8,192 bytes";
    stage.printed("R26", "too_large", expected, |line| line["limit"] == EVENT_MAX).await?;
    tokio::time::sleep(QUIET).await;
    let number = link.number;
    let sent = stage.recording.ask(|recorded| frames(recorded, number, "event").count());
    stage.check("R26", sent == 0, "an event over 8 KiB is not sent", || "it was sent".into());
    let longest = stage.recording.ask(longest_of_the_first);
    stage.check("R26", longest <= MAX_MESSAGE as usize, "no message over max_message", || format!("{longest} bytes"));
    Ok(())
}

/// The bytes of the longest frame on the first connection, about.
fn longest_of_the_first(recorded: &[Recorded]) -> usize {
    let length = |it: &Recorded| match &it.what {
        Observed::Frame(1, frame) => frame.to_string().len(),
        _ => 0,
    };
    recorded.iter().map(length).max().unwrap_or(0)
}
