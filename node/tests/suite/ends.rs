//! How the end of a session is told, and in which order with what its terminal did.

use futures_util::{SinkExt, StreamExt};
use muster_client::Incoming;
use muster_protocol::{
    Payload,
    api::Protocol::V1,
    frame::{Event, FromTerminal},
};
use muster_testkit::{
    http::{get, request},
    wait::{soon, until},
};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, protocol::CloseFrame},
};

use crate::{cluster::Cluster, events::stored};

crate::on_both!(
    what_a_terminal_says_as_it_closes_is_told,
    what_a_node_closes_a_session_with_is_told,
    what_a_terminal_did_is_told_before_its_end,
    a_terminal_that_is_removed_goes_once,
    an_event_with_an_id_is_acknowledged_when_it_is_stored
);

async fn is_shown_as(cluster: &Cluster, status: &str) {
    until(status, async || get(cluster.here().address, "/v1/terminals/far").await.1["status"] == status).await;
}

/// Connects the plain terminal `far`, and waits until it is shown as online.
async fn connect(cluster: &Cluster) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let url = format!("ws://{}/ws?terminal_id=far", cluster.there().address);
    let (socket, _) = connect_async(url).await.unwrap();
    is_shown_as(cluster, "online").await;
    socket
}

/// Has `far` close a session with this code and reason.
async fn close(cluster: &Cluster, code: u16, reason: &'static str) {
    let mut far = connect(cluster).await;
    far.send(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))).await.unwrap();
    is_shown_as(cluster, "offline").await;
}

/// The last end in the events, in the history and in the record of `far`, without times.
async fn told(cluster: &Cluster) -> [Value; 3] {
    let (_, mut event) = stored(cluster, "kind=terminal.offline").await.pop().unwrap();
    let mut change = cluster.get("/v1/terminals/far/history").await["changes"][0].clone();
    let mut last = cluster.get("/v1/terminals/far").await["last_close"].clone();
    for (value, others) in [(&mut event, "terminal"), (&mut change, "kind"), (&mut last, "")] {
        if let Some(members) = value.as_object_mut() {
            assert!(members.remove("at").unwrap().is_string(), "{members:?}");
            members.remove(others);
        }
    }
    [event, change, last]
}

async fn what_a_terminal_says_as_it_closes_is_told(cluster: Cluster) {
    close(&cluster, 1000, "").await;
    let usual = [json!({"reason":"left","code":1000}), json!({"reason":"left"}), Value::Null];
    assert_eq!(told(&cluster).await, usual);
    close(&cluster, 1009, "too \"large\" \u{1b}[1m\u{202e}\u{7}will").await;
    let large = json!({"reason":"left","code":1009,"text":"too \"large\" [1mwill"});
    let expected = [large.clone(), json!({"reason":"left","code":1009}), large.clone()];
    assert_eq!(told(&cluster).await, expected);
    close(&cluster, 4321, "").await;
    assert_eq!(told(&cluster).await, [(); 3].map(|()| json!({"reason":"left","code":4321})));
    close(&cluster, 1001, "").await;
    let [event, change, last] = told(&cluster).await;
    assert_eq!((event["code"].as_u64(), change), (Some(1001), json!({"reason":"left"})));
    assert_eq!(last, json!({"reason":"left","code":4321}), "it stays, over later sessions too");
    let (_, _, metrics) = request(cluster.there().address, "GET /metrics HTTP/1.1\r\n").await;
    for code in ["1000", "1001", "1009", "4000-4999"] {
        let line = format!(r#"muster_sessions_closed_total{{by="terminal",code="{code}"}} 1"#);
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
}

async fn what_a_node_closes_a_session_with_is_told(cluster: Cluster) {
    let mut far = connect(&cluster).await;
    far.send(Message::text("x".repeat(70_000))).await.unwrap();
    is_shown_as(&cluster, "offline").await;
    let [event, change, last] = told(&cluster).await;
    assert_eq!((&event["reason"], &event["code"]), (&json!("wire"), &json!(1009)), "{event}");
    assert!(event["text"].as_str().unwrap().contains("--max-message"), "{event}");
    assert_eq!((change, last), (json!({"reason":"wire","code":1009}), event));
    let far = connect(&cluster).await;
    assert_eq!(cluster.ask("DELETE", "/v1/terminals/far/session", "").await.0, 202);
    is_shown_as(&cluster, "offline").await;
    let [event, change, last] = told(&cluster).await;
    assert_eq!(event, json!({"reason":"disconnected","code":1001}));
    assert_eq!((change, &last["code"]), (json!({"reason":"disconnected"}), &json!(1009)));
    drop(far);
}

/// The events of `far`, each as its kind and its payload.
async fn happened(cluster: &Cluster) -> Vec<String> {
    let words = |(kind, data): (String, Value)| format!("{kind} {}", data["payload"].as_str().unwrap_or_default());
    stored(cluster, "terminal=far").await.into_iter().map(words).collect()
}

async fn what_a_terminal_did_is_told_before_its_end(cluster: Cluster) {
    let mut expected = Vec::new();
    for session in 0..5 {
        let mut far = connect(&cluster).await;
        expected.push("terminal.online ".to_owned());
        for number in 0..20 {
            let text = format!("{session}.{number}");
            far.send(Message::text(text.clone())).await.unwrap();
            expected.push(format!("terminal.event {text}"));
        }
        far.close(None).await.unwrap();
        expected.push("terminal.offline ".to_owned());
        is_shown_as(&cluster, "offline").await;
    }
    assert_eq!(happened(&cluster).await, expected);
}

async fn a_terminal_that_is_removed_goes_once(cluster: Cluster) {
    let mut far = connect(&cluster).await;
    far.send(Message::text("here")).await.unwrap();
    until("its event is there", async || happened(&cluster).await.len() == 2).await;
    assert_eq!(cluster.ask("DELETE", "/v1/terminals/far", "").await.0, 200);
    let closed = soon(far.next()).await.unwrap().unwrap();
    assert!(matches!(&closed, Message::Close(Some(close)) if u16::from(close.code) == 4503), "{closed:?}");
    // The node's side of the connection ends after the session has left the registry.
    while let Some(Ok(_)) = soon(far.next()).await {}
    let _far = connect(&cluster).await;
    let expected = ["terminal.online ", "terminal.event here", "terminal.offline ", "terminal.online "];
    assert_eq!(happened(&cluster).await, expected);
}

async fn an_event_with_an_id_is_acknowledged_when_it_is_stored(cluster: Cluster) {
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    for number in 0..3 {
        let event = |id| Event { id, name: "door".into(), payload: Payload::from_text(&number.to_string()) };
        far.terminal.send(FromTerminal::Event(event(None))).await.unwrap();
        let id = format!("door-{number}");
        far.terminal.send(FromTerminal::Event(event(Some(id.clone())))).await.unwrap();
        assert_eq!(far.next().await, Incoming::EventStored(id.clone()));
        let (_, last) = stored(&cluster, "kind=terminal.event").await.pop().unwrap();
        assert_eq!((&last["id"], &last["payload"]), (&json!(id), &json!(number.to_string())), "{last}");
    }
    let long = Event { id: Some("x".repeat(65)), name: "door".into(), payload: Payload::default() };
    far.terminal.send(FromTerminal::Event(long)).await.unwrap();
    let told = far.next().await;
    assert!(matches!(&told, Incoming::Error(error) if error.message.contains("1 to 64 bytes")), "{told:?}");
}
