//! A command that comes more than once is run once: in one session, in the next one, and over a restart of the program.

use serde_json::json;

use crate::{
    stage::{Stage, Stop, frames},
    timing::{QUIET, SOON},
};

/// The same command twice in one session, and in the next.
pub async fn in_sessions(stage: &mut Stage) -> Result<(), Stop> {
    let mut link = stage.first_session().await?;
    let id = stage.new_id();
    link.command(&id, "echo", json!({ "payload": 7 })).await;
    stage.answer("R9", &link, "result", &id, "a command is answered").await?;
    link.command(&id, "echo", json!({ "payload": 7 })).await;
    stage.answers("R9", &link, ("ack", 2), &id, "a command that comes again is acknowledged again").await?;
    let again = stage.answers("R9", &link, ("result", 2), &id, "its result, which is known, is sent again").await?;
    stage.check("R9", again["payload"] == 7, "the same result again", || again.to_string());
    link.close(4003, "").await;
    let mut link = stage.session("R9", "another session after 4003", json!({})).await?;
    link.command(&id, "echo", json!({ "payload": 7 })).await;
    stage.answer("R9", &link, "ack", &id, "in the next session it is acknowledged again").await?;
    stage.echo("R9", &mut link, "a result").await?;
    let runs = stage.runs(&id);
    stage.check("R9", runs == 1, "a command that came three times is run once", || format!("{runs} times"));
    Ok(())
}

/// The program dies in a command, and later between commands.
pub async fn over_restarts(stage: &mut Stage) -> Result<(), Stop> {
    let mut link = stage.first_session().await?;
    let deadly = stage.new_id();
    link.command(&deadly, "die", json!({ "cursor": "c1" })).await;
    let number = link.number;
    stage.run("R35", &deadly, "the program is given the command").await?;
    stage.exited(SOON).await;
    tokio::time::sleep(QUIET).await;
    let acks = stage.recording.ask(|recorded| frames(recorded, number, "ack").count());
    stage.check("R8", acks == 0, "a command in whose function the program dies is not acknowledged", || {
        "it was acknowledged".into()
    });

    stage.start();
    let mut link = stage.session("R35", "a handshake after a restart", json!({})).await?;
    link.command(&deadly, "die", json!({ "cursor": "c1" })).await;
    stage.answer("R35", &link, "ack", &deadly, "the command that comes again is acknowledged").await?;
    let last = stage.new_id();
    link.command(&last, "echo", json!({ "payload": 1, "cursor": "c7" })).await;
    stage.answer("R35", &link, "ack", &last, "the program still runs").await?;
    stage.answer("R35", &link, "result", &last, "the program still runs").await?;
    let runs = stage.runs(&deadly);
    stage.check("R35", runs == 1, "after a restart a command is not run again", || format!("it was run {runs} times"));

    tokio::time::sleep(QUIET).await;
    stage.kill();
    stage.start();
    let (mut link, hello) = stage.hello("R35", "a handshake after a restart").await?;
    stage.check("R16", hello["resume"] == "c7", "after a restart the hello resumes from c7", || hello.to_string());
    link.welcome(json!({ "resumed": true })).await;
    link.command(&last, "echo", json!({ "payload": 1, "cursor": "c7" })).await;
    stage.answer("R35", &link, "ack", &last, "the command that comes again is acknowledged").await?;
    stage.echo("R35", &mut link, "a result").await?;
    let runs = stage.runs(&last);
    stage.check("R35", runs == 1, "after a restart a command is not run again", || format!("it was run {runs} times"));
    Ok(())
}
