//! Where a client resumes.

use serde_json::{Value, json};

use crate::{
    link::Link,
    stage::{Stage, Stop},
};

/// The cursor comes from the welcome, from commands and from a gap.
pub async fn kept(stage: &mut Stage) -> Result<(), Stop> {
    stage.start();
    let (mut link, hello) = stage.hello("R1", "a handshake of the program").await?;
    stage.check("R17", hello["resume"].is_null(), "the first hello resumes from nothing", || hello.to_string());
    link.welcome(json!({ "cursor": "c0" })).await;
    stage.echo("R14", &mut link, "a result").await?;

    let mut link = resumed_from(stage, link, "R14", "c0", "the cursor of the welcome").await?;
    link.welcome(json!({ "resumed": true, "cursor": "c1" })).await;
    let id = stage.new_id();
    link.command(&id, "echo", json!({ "payload": 1, "cursor": "c1" })).await;
    stage.answer("R14", &link, "ack", &id, "an ack").await?;

    let mut link = resumed_from(stage, link, "R14", "c1", "the cursor of the last command").await?;
    link.welcome(json!({ "resumed": true, "cursor": "c9" })).await;
    stage.echo("R15", &mut link, "a result").await?;

    // What follows the old cursor was promised, and has not come.
    let mut link = resumed_from(stage, link, "R15", "c1", "what was promised has not come").await?;
    link.welcome(json!({ "resumed": false, "cursor": "c10" })).await;
    link.send(json!({ "type": "gap", "from": "c1", "to": "c10", "reason": "said by the kit" })).await;
    let told = |line: &Value| line["from"] == "c1" && line["to"] == "c10";
    stage.printed("R16", "gap", "the program is told of the gap from c1 to c10", told).await?;

    let mut link = resumed_from(stage, link, "R14", "c10", "the end of the gap").await?;
    link.welcome(json!({ "resumed": true })).await;
    let staggered = stage.new_id();
    link.command(&staggered, "echo", json!({ "payload": 1, "cursor": "c11", "stagger_ms": 60_000 })).await;
    stage.echo("R15", &mut link, "a result").await?;
    let mut link = stays_before(stage, link, &staggered, "while newer commands come").await?;
    link.welcome(json!({ "resumed": false, "cursor": "c12" })).await;
    link.send(json!({ "type": "gap", "from": "c10", "to": "c12", "reason": "said by the kit" })).await;
    stage.printed("R16", "gap", "the program is told of the gap to c12", |line| line["to"] == "c12").await?;
    stays_before(stage, link, &staggered, "after a session that did not resume").await?;
    Ok(())
}

/// Closes the session, waits for the next hello, and judges that it resumes before a command that waits for its stagger.
async fn stays_before(stage: &mut Stage, link: Link, staggered: &str, when: &str) -> Result<Link, Stop> {
    link.close(4003, "").await;
    let (link, hello) = stage.hello("R15", "another session").await?;
    // By chance its share of the stagger may be over.
    let is_right = hello["resume"] == "c10" || stage.runs(staggered) == 1;
    let expected = format!("the cursor stays before a command that waits for its stagger, {when}");
    stage.check("R15", is_right, &expected, || hello.to_string());
    Ok(link)
}

/// Closes the session, waits for the next hello, and judges where it resumes.
async fn resumed_from(
    stage: &mut Stage,
    link: Link,
    rule: &'static str,
    cursor: &str,
    why: &str,
) -> Result<Link, Stop> {
    link.close(4003, "").await;
    let (link, hello) = stage.hello(rule, "another session after 4003").await?;
    stage.check(rule, hello["resume"] == *cursor, &format!("the hello resumes from {cursor}: {why}"), || {
        hello.to_string()
    });
    Ok(link)
}
