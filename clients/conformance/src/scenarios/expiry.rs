//! Commands that expire, on nodes whose clocks differ from the client's.

use jiff::SignedDuration;
use serde_json::json;

use crate::{
    link::Link,
    stage::{Stage, Stop},
};

const MINUTE: i64 = 60_000;

/// The node's clock is an hour ahead, and then, on another node, an hour behind.
pub async fn by_the_nodes_clock(stage: &mut Stage) -> Result<(), Stop> {
    stage.clock = SignedDuration::from_hours(1);
    stage.replace_token(&stage.token_for(7200));
    let mut link = stage.first_session().await?;
    expired(stage, &mut link, -30 * MINUTE, "half an hour ago by the node's clock, which is ahead").await?;
    run(stage, &mut link, 10 * MINUTE, "in 10 minutes").await?;
    link.close(4003, "").await;
    stage.clock = SignedDuration::from_hours(-1);
    let mut link = stage.session("R10", "another session after 4003", json!({})).await?;
    run(stage, &mut link, 30 * MINUTE, "in half an hour by the clock of this node, which is behind").await?;
    expired(stage, &mut link, -1000, "a second ago").await
}

async fn run(stage: &mut Stage, link: &mut Link, ahead_ms: i64, when: &str) -> Result<(), Stop> {
    let id = stage.new_id();
    let expires_at = link.time(ahead_ms).to_string();
    link.command(&id, "echo", json!({ "payload": 1, "expires_at": expires_at })).await;
    let expected = format!("a command that expires {when} is run");
    let result = stage.answer("R10", link, "result", &id, &expected).await?;
    stage.check("R10", result["ok"] == true, &expected, || result.to_string());
    Ok(())
}

async fn expired(stage: &mut Stage, link: &mut Link, ahead_ms: i64, when: &str) -> Result<(), Stop> {
    let id = stage.new_id();
    let expires_at = link.time(ahead_ms).to_string();
    link.command(&id, "echo", json!({ "payload": 1, "expires_at": expires_at })).await;
    let expected = format!("a command that expired {when} has a result with the reason expired");
    let result = stage.answer("R10", link, "result", &id, &expected).await?;
    let is_told = result["ok"] == false && result["reason"] == "expired";
    stage.check("R10", is_told, &expected, || result.to_string());
    stage.echo("R10", link, "a result").await?;
    let runs = stage.runs(&id);
    stage.check("R10", runs == 0, &format!("a command that expired {when} is not run"), || "it was run".into());
    Ok(())
}
