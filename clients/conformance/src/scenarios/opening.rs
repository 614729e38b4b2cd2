//! The handshake, the hello and the welcome.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::http::header;

use crate::{
    handshake::{V1, offered, token_of},
    link::Link,
    recording::Observed,
    stage::{Stage, Stop, TERMINAL, frames, lines},
    timing::{QUIET, SOON, START, ms},
};

/// The first handshake and the hello, and a welcome that comes late.
pub async fn handshake(stage: &mut Stage) -> Result<(), Stop> {
    stage.start();
    let mut link = stage.upgrade("R1", "a handshake of the program").await?;
    judge_request(stage, &link);
    let hello = stage.hello_on(&link).await?;
    judge_hello(stage, &hello);
    // Late, and within the deadline of an attempt.
    tokio::time::sleep(ms(400)).await;
    let number = link.number;
    let before = stage.recording.ask(|recorded| count_messages(recorded, number));
    stage.check("R5", before == 1, "nothing but one hello before the welcome", || format!("{before} messages"));
    link.welcome(json!({})).await;
    stage.printed("R5", "open", "the program sees a session whose welcome came late", |_| true).await?;
    let id = stage.new_id();
    link.command(&id, "echo", json!({ "payload": 1 })).await;
    stage.answer("R5", &link, "result", &id, "a result in a session whose welcome came late").await?;
    let hellos = stage.recording.ask(|recorded| frames(recorded, number, "hello").count());
    stage.check("R5", hellos == 1, "one hello", || format!("{hellos}"));
    let other = stage.recording.ask(|recorded| {
        recorded.iter().find_map(|it| if let Observed::NoFrame(_, text) = &it.what { Some(text.clone()) } else { None })
    });
    stage.check("R7", other.is_none(), "each message is a text with a JSON object", || other.unwrap_or_default());
    Ok(())
}

fn count_messages(recorded: &[crate::recording::Recorded], number: usize) -> usize {
    let counts = |what: &Observed| match what {
        Observed::Frame(on, _) | Observed::NoFrame(on, _) => *on == number,
        _ => false,
    };
    recorded.iter().filter(|it| counts(&it.what)).count()
}

fn judge_request(stage: &mut Stage, link: &Link) {
    let (request, uri) = (&link.request, link.request.uri());
    let query = uri.query().unwrap_or_default();
    stage.check("R1", uri.path() == "/ws", "the path /ws", || uri.path().to_owned());
    let mut ids = query.split('&').filter_map(|pair| pair.strip_prefix("terminal_id="));
    let is_right = ids.all(|id| id == TERMINAL);
    stage.check("R1", is_right, "terminal_id in the query is that of MUSTER_TERMINAL", || query.to_owned());
    let token = stage.token();
    let is_sent = token_of(request) == Some(&token);
    stage.check("R2", is_sent, "the token of the file in Authorization: Bearer, or as muster.bearer.TOKEN", || {
        if token_of(request).is_some() { "another token".into() } else { "no token".into() }
    });
    let is_hidden = !query.contains(&token) && !query.contains("token=");
    stage.check("R2", is_hidden, "no token in the URL", || "a token".into());
    let is_asked = offered(request).any(|protocol| protocol == V1);
    stage.check("R3", is_asked, "the subprotocol muster.v1 is offered", || {
        format!("{:?}", offered(request).collect::<Vec<_>>())
    });
    let headers = request.headers();
    let hosts = headers.get_all(header::HOST).iter().count();
    stage.check("R30", hosts == 1, "one Host", || format!("{hosts}"));
    let body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    stage.check("R30", !body, "no body", || format!("{headers:?}"));
}

fn judge_hello(stage: &mut Stage, hello: &Value) {
    let named = hello["sdk"].as_str().is_some_and(|sdk| !sdk.is_empty());
    stage.check("R5", named, "a hello with sdk, a text", || hello.to_string());
    let labelled = hello["labels"]["kit"] == "yes";
    stage.check("R5", labelled, "a hello with the label kit=yes", || hello.to_string());
}

/// A server that knows nothing of muster.v1 opens the WebSocket and selects no subprotocol.
pub async fn not_selected(stage: &mut Stage) -> Result<(), Stop> {
    stage.start();
    let connected = stage.connected(0, START).await;
    let connected = stage.some("R1", connected, "a handshake of the program")?;
    let mut link = stage.open("R3", connected, None).await?;
    // As a server that is no node may send.
    link.send(json!({ "hello": "world" })).await;
    link.welcome(json!({})).await;
    let given_up = stage
        .recording
        .wait(SOON, |recorded| {
            let gone = |it: &crate::recording::Recorded| {
                matches!(it.what, Observed::Gone(_) | Observed::Closed(..) | Observed::Exited(_))
            };
            recorded.iter().any(gone).then_some(())
        })
        .await;
    stage.some("R3", given_up, "the client closes a session for which muster.v1 was not selected")?;
    tokio::time::sleep(QUIET).await;
    let opened = stage.recording.ask(|recorded| lines(recorded, "open").count());
    stage.check("R3", opened == 0, "the program sees no session", || "a line open".into());
    Ok(())
}
