//! Commands that wait for a random share of a stagger.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    link::Link,
    stage::{Stage, Stop, frames},
    timing::{LATE, ms},
};

/// The longest share.
const STAGGER: Duration = ms(600);
/// Twelve shares that are all shorter than this would be a chance of one in a billion.
const SOME_SHARE: Duration = ms(100);

/// A dozen staggered commands, one that is not, and one that expires while it waits.
pub async fn shares(stage: &mut Stage) -> Result<(), Stop> {
    let mut link = stage.first_session().await?;
    let ids: Vec<String> = (0..12).map(|_| stage.new_id()).collect();
    let sent = Instant::now();
    for id in &ids {
        let fields = json!({ "payload": 1, "stagger_ms": STAGGER.as_millis() as u64 });
        link.command(id, "echo", fields).await;
    }
    let plain = stage.new_id();
    link.command(&plain, "echo", json!({ "payload": 1 })).await;
    let (plain_run, _) = stage.run("R11", &plain, "a command without a stagger is run").await?;

    let mut latest = sent;
    for id in &ids {
        let (run, _) = stage.run("R11", id, "a staggered command is run").await?;
        let what = format!("a command with a stagger of {STAGGER:?} is run");
        stage.check_delay("R11", (sent, run), Duration::ZERO, Some(STAGGER + LATE), &what);
        let acked = acked_at(stage, &link, id).await?;
        // The line and the ack come on two ways.
        let is_after = run - sent < SOME_SHARE || acked - sent > (run - sent) / 2;
        stage.check("R11", is_after, "a staggered command is acknowledged when it is run, and not before", || {
            format!("the ack after {:?}, the run after {:?}", acked - sent, run - sent)
        });
        latest = latest.max(run);
    }
    stage.check_delay("R11", (sent, latest), SOME_SHARE, None, "the last of 12 staggered commands is run");
    let expected = "a command without a stagger does not wait for one that has one";
    stage.check("R11", plain_run < latest, expected, || format!("it was run {:?} later", plain_run - latest));
    expires_meanwhile(stage, &mut link).await
}

/// A command that expires before its share is over, most likely.
async fn expires_meanwhile(stage: &mut Stage, link: &mut Link) -> Result<(), Stop> {
    let id = stage.new_id();
    let sent = Instant::now();
    let fields = json!({ "payload": 1, "stagger_ms": 2000, "expires_at": link.time(100).to_string() });
    link.command(&id, "echo", fields).await;
    let expected = "a command that expires while it waits has a result with the reason expired";
    let result = stage.answer("R11", link, "result", &id, expected).await?;
    if result["reason"] == "expired" {
        let runs = stage.runs(&id);
        stage.check("R11", runs == 0, "a command that expires while it waits is not run", || "it was run".into());
    } else {
        let (run, _) = stage.run("R11", &id, "the program is given the command").await?;
        let what = "a command that is not expired is run";
        stage.check_delay("R11", (sent, run), Duration::ZERO, Some(ms(100) + LATE), what);
    }
    Ok(())
}

async fn acked_at(stage: &mut Stage, link: &Link, id: &str) -> Result<Instant, Stop> {
    let number = link.number;
    stage
        .must("R11", "a staggered command is acknowledged", |recorded| {
            frames(recorded, number, "ack").find(|(_, ack)| ack["id"] == *id).map(|(at, _)| at)
        })
        .await
}
