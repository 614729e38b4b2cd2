//! Payloads that are bytes: they arrive as they were sent, in both protocols and both directions.

use muster_client::Incoming;
use muster_protocol::{
    Payload,
    api::Protocol::{Plain, V1},
    frame::{Event, FromTerminal},
};
use muster_testkit::{
    http::{get, post},
    wait::until,
};
use serde_json::{Value, json};

use crate::{cluster::Cluster, events::stored};

crate::on_both!(
    bytes_and_the_bytes_of_the_answer_arrive,
    bytes_are_a_binary_message_in_plain_mode,
    a_payload_is_json_or_bytes
);

/// Bytes that are no text, and their base64.
const BYTES: [u8; 5] = [0, 255, 128, 10, 13];
const BASE64: &str = "AP+ACg0=";

async fn send(cluster: &Cluster, target: &str) -> String {
    let body = format!(r#"{{"target":{target},"name":"show","payload_base64":"{BASE64}","confirm":"result"}}"#);
    let (status, command) = post(cluster.here().address, "/v1/commands", &body).await;
    assert_eq!(status, 202, "{command}");
    command["id"].as_str().unwrap().to_owned()
}

/// Waits until the command is in this state at its target, and shows the target.
async fn target(cluster: &Cluster, command: &str, state: &str) -> Value {
    let path = format!("/v1/commands/{command}/targets?state={state}");
    until(state, async || cluster.get(&path).await["targets"][0] != Value::Null).await;
    cluster.get(&path).await["targets"][0].clone()
}

async fn bytes_and_the_bytes_of_the_answer_arrive(cluster: Cluster) {
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    for selector in [r#"{"terminal":"far"}"#, r#"{"all":true}"#] {
        let command = send(&cluster, selector).await;
        let shown = cluster.get(&format!("/v1/commands/{command}")).await;
        assert_eq!((&shown["payload_base64"], shown.get("payload")), (&json!(BASE64), None), "{shown}");
        let received = far.command().await;
        assert_eq!(received.payload.bytes(), Some(BYTES.to_vec()));
        far.terminal.progress(received.id, Payload::from_bytes(&[])).await.unwrap();
        assert_eq!(target(&cluster, &command, "running").await["payload_base64"], "");
        far.terminal.result(received.id, true, Payload::from_bytes(&BYTES)).await.unwrap();
        let ended = target(&cluster, &command, "succeeded").await;
        assert_eq!((&ended["payload_base64"], ended.get("payload")), (&json!(BASE64), None), "{ended}");
    }
    let event = Event { id: None, name: "picture".into(), payload: Payload::from_bytes(&BYTES) };
    far.terminal.send(FromTerminal::Event(event)).await.unwrap();
    until("the event is there", async || !stored(&cluster, "kind=terminal.event").await.is_empty()).await;
    let (_, event) = stored(&cluster, "kind=terminal.event").await.remove(0);
    assert_eq!((&event["payload_base64"], event.get("payload")), (&json!(BASE64), None), "{event}");
}

async fn bytes_are_a_binary_message_in_plain_mode(cluster: Cluster) {
    let mut far = cluster.there().terminal("far", Plain, &[]).await;
    let mut binary = async |command: String| {
        let told = far.next().await;
        assert!(matches!(&told, Incoming::Binary { bytes, .. } if *bytes == BYTES), "{command}: {told:?}");
    };
    for selector in [r#"{"terminal":"far"}"#, r#"{"all":true}"#] {
        binary(send(&cluster, selector).await).await;
    }
    far.terminal.send_bytes(BYTES).await.unwrap();
    until("the event is there", async || !stored(&cluster, "kind=terminal.event").await.is_empty()).await;
    let (_, event) = stored(&cluster, "kind=terminal.event").await.remove(0);
    assert_eq!((&event["name"], &event["payload"]), (&json!("binary"), &json!(BASE64)), "{event}");
    far.terminal.close().await;
    let path = "/v1/terminals/far";
    until("it is offline", async || get(cluster.here().address, path).await.1["status"] == "offline").await;
    let command = send(&cluster, r#"{"terminal":"far"}"#).await;
    let mut far = cluster.here().terminal("far", Plain, &[]).await;
    let told = far.next().await;
    assert!(matches!(&told, Incoming::Binary { bytes, .. } if *bytes == BYTES), "missed, {command}: {told:?}");
}

async fn a_payload_is_json_or_bytes(cluster: Cluster) {
    let _far = cluster.there().terminal("far", V1, &[]).await;
    for (fields, says) in [
        (r#""payload":1,"payload_base64":"AP8=""#, "one of them at most"),
        (r#""payload_base64":"AP8""#, "payload_base64 is no base64"),
        (r#""payload_base64":7"#, "invalid type: integer"),
    ] {
        let body = format!(r#"{{"target":{{"terminal":"far"}},"name":"show",{fields}}}"#);
        let (status, problem) = post(cluster.here().address, "/v1/commands", &body).await;
        assert!(status == 400 && problem["detail"].as_str().unwrap().contains(says), "{fields}: {problem}");
    }
}
