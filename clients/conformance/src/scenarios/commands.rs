//! Commands of each kind, what is not understood, and a program that ends.

use serde_json::{Value, json};

use crate::{
    link::Link,
    recording::Observed,
    stage::{Stage, Stop, frames, lines},
    timing::SOON,
};

/// What the program does with each command, as the node sees it.
pub async fn answered(stage: &mut Stage) -> Result<(), Stop> {
    let mut link = stage.first_session().await?;
    unknown(stage, &mut link).await?;
    payloads(stage, &mut link).await?;
    outcomes(stage, &mut link).await?;
    reports(stage, &mut link).await?;
    in_order(stage, &mut link).await?;
    leave(stage, link).await
}

/// Frames and texts that no client can know.
async fn unknown(stage: &mut Stage, link: &mut Link) -> Result<(), Stop> {
    link.send(json!({ "type": "dance", "steps": 3 })).await;
    for text in ["no JSON", "[1]", "{}", r#"{"type":"command"}"#] {
        link.send_text(text).await;
    }
    let id = stage.new_id();
    link.command(&id, "echo", json!({ "payload": 1, "dance": { "steps": 3 } })).await;
    let expected = "after frames that it does not know, and with a field that it does not know, a command is answered";
    stage.answer("R6", link, "result", &id, expected).await?;
    Ok(())
}

/// A payload goes to the program and comes back as it was: JSON, bytes, or none.
async fn payloads(stage: &mut Stage, link: &mut Link) -> Result<(), Stop> {
    let json = json!({ "n": 1.5, "large": 9_007_199_254_740_991_i64, "list": ["é\n\"", null, true, {}] });
    for (field, payload) in [("payload", json), ("payload_base64", json!("AP8=")), ("payload", Value::Null)] {
        let id = stage.new_id();
        // Null is left out: a command may have no payload.
        let fields = if payload.is_null() { json!({}) } else { json!({ field: payload }) };
        link.command(&id, "echo", fields).await;
        let (_, line) = stage.run("R32", &id, "the program is given the command").await?;
        let other = if field == "payload" { "payload_base64" } else { "payload" };
        let is_same = |given: &Value| given[field] == payload && given[other].is_null();
        stage.check("R32", is_same(&line), &format!("the program is given {field}: {payload}"), || line.to_string());
        let result = stage.answer("R36", link, "result", &id, "a result").await?;
        stage.check("R32", is_same(&result), &format!("the result has {field}: {payload}"), || result.to_string());
        let acked = "an ack for each command";
        stage.answer("R36", link, "ack", &id, acked).await?;
    }
    Ok(())
}

/// A command that fails, and one that nobody knows.
async fn outcomes(stage: &mut Stage, link: &mut Link) -> Result<(), Stop> {
    let id = stage.new_id();
    link.command(&id, "fail", json!({ "payload": "broken" })).await;
    let result = stage.answer("R36", link, "result", &id, "a result of a command that fails").await?;
    let is_right = result["ok"] == false && result["payload"] == "broken" && result["reason"].is_null();
    stage.check("R36", is_right, "ok false, the payload, no reason", || result.to_string());
    let id = stage.new_id();
    link.command(&id, "nobody-knows", json!({})).await;
    let result = stage.answer("R36", link, "result", &id, "a result of a command that nobody knows").await?;
    let is_right = result["ok"] == false && result["reason"] == "rejected";
    stage.check("R36", is_right, "ok false, and the reason rejected", || result.to_string());
    Ok(())
}

/// Progress, health, events, and errors of the node.
async fn reports(stage: &mut Stage, link: &mut Link) -> Result<(), Stop> {
    let id = stage.new_id();
    link.command(&id, "progress", json!({ "payload": { "percent": 40 } })).await;
    let progress = stage.answer("R36", link, "progress", &id, "a frame progress").await?;
    let is_right = progress["payload"] == json!({ "percent": 40 });
    stage.check("R36", is_right, "progress with the payload", || progress.to_string());

    let id = stage.new_id();
    link.command(&id, "health", json!({ "payload": { "temperature": 71.5 } })).await;
    let health = first(stage, link, "health").await?;
    let is_right = health["condition"] == "degraded" && health["metrics"] == json!({ "temperature": 71.5 });
    stage.check("R36", is_right, "health with condition and metrics", || health.to_string());

    let id = stage.new_id();
    let event = json!({ "id": "e1", "name": "door", "payload": { "open": true } });
    link.command(&id, "event", json!({ "payload": event })).await;
    let sent = first(stage, link, "event").await?;
    let is_right = sent["name"] == "door" && sent["id"] == "e1" && sent["payload"] == json!({ "open": true });
    stage.check("R36", is_right, "an event with name, id and payload", || sent.to_string());
    link.send(json!({ "type": "ack", "id": "e1" })).await;
    stage.printed("R36", "stored", "the program is told that its event is stored", |line| line["id"] == "e1").await?;

    link.send(json!({ "type": "error", "code": "bad_frame", "message": "said by the kit" })).await;
    let expected = "the program is told of the node's error";
    stage.printed("R36", "error", expected, |line| line["code"] == "bad_frame").await?;
    stage.echo("R36", link, "after an error the session goes on").await
}

/// The first frame of this type.
async fn first(stage: &mut Stage, link: &Link, kind: &str) -> Result<Value, Stop> {
    let number = link.number;
    let expected = format!("a frame {kind}");
    stage.must("R36", &expected, |recorded| frames(recorded, number, kind).map(|(_, frame)| frame.clone()).next()).await
}

/// Many commands at once are run in their order.
async fn in_order(stage: &mut Stage, link: &mut Link) -> Result<(), Stop> {
    let ids: Vec<String> = (0..30).map(|_| stage.new_id()).collect();
    for id in &ids {
        link.command(id, "echo", json!({ "payload": 1 })).await;
    }
    for id in &ids {
        stage.run("R12", id, "each of 30 commands is run").await?;
    }
    let run: Vec<Value> = stage.recording.ask(|recorded| {
        let all = lines(recorded, "command").map(|(_, line)| line["id"].clone());
        all.filter(|id| ids.iter().any(|own| *id == **own)).collect()
    });
    stage.check("R12", ids.iter().eq(run.iter()), "30 commands are run in the order in which they came", || {
        run.iter().map(Value::to_string).collect::<Vec<_>>().join(" ")
    });
    Ok(())
}

/// The program ends, as a program does that is no longer needed.
async fn leave(stage: &mut Stage, mut link: Link) -> Result<(), Stop> {
    let id = stage.new_id();
    link.command(&id, "leave", json!({})).await;
    stage.answer("R37", &link, "result", &id, "what was sent before the close arrives").await?;
    let number = link.number;
    let closed = |recorded: &[crate::recording::Recorded]| {
        recorded.iter().find_map(|it| match it.what {
            Observed::Closed(on, code) if on == number => Some(code),
            _ => None,
        })
    };
    let code = stage.must("R37", "the client closes with 1000", closed).await?;
    stage.check("R37", code == 1000, "the client closes with 1000", || format!("{code}"));
    let ended = stage.exited(SOON).await;
    stage.check("R37", ended == Some(Some(0)), "the program ends with 0", || format!("{ended:?}"));
    Ok(())
}
