//! What a node does with a Redis that refuses something: for want of memory, for one terminal, or for one report.

use muster_client::Incoming;
use muster_protocol::{
    Payload,
    api::Protocol::{Plain, V1},
    frame::{Ack, Event, FromTerminal, Progress},
};
use muster_testkit::{
    OnlineTerminal, TestNode, TestRedis,
    http::{get, request},
    wait::until,
};

/// From now on Redis keeps what it is asked.
async fn watch(redis: &TestRedis) {
    let () = redis.ask(&["CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "100000"]).await.unwrap();
    let () = redis.ask(&["SLOWLOG", "RESET"]).await.unwrap();
}

/// The terminals whose sessions asked to be registered since then, in no order. join.lua is called with its script, two prefixes of keys,
/// the terminal, node, session and protocol, and more.
async fn joins(redis: &TestRedis) -> Vec<String> {
    let log: Vec<Vec<redis::Value>> = redis.ask(&["SLOWLOG", "GET", "-1"]).await.unwrap();
    let words = |entry: &Vec<redis::Value>| -> Vec<Vec<u8>> { redis::from_redis_value(entry[3].clone()).unwrap() };
    let called = log.iter().map(words).filter(|words| words[0] == b"EVALSHA" && words.len() > 8);
    let joined = called.filter(|words| [&b"v1"[..], b"plain"].contains(&&words[8][..]));
    joined.map(|words| String::from_utf8_lossy(&words[5]).into_owned()).collect()
}

async fn metrics(node: &TestNode) -> String {
    request(node.address, "GET /metrics HTTP/1.1\r\n").await.2
}

async fn is_online(node: &TestNode, id: &str) -> bool {
    get(node.address, &format!("/v1/terminals/{id}")).await.1["status"] == "online"
}

#[tokio::test]
async fn an_event_that_a_full_redis_refuses_holds_up_neither_states_nor_sessions() {
    let redis = TestRedis::start().await;
    let node = TestNode::start(&["--insecure", "--redis", &redis.url]).await;
    let mut one = node.terminal_with("one", |config| config.acknowledge = false).await;
    let (_, command) = node.command(r#"{"terminal":"one"}"#, "1").await;
    let id = one.command().await.id;
    redis.fill().await;
    watch(&redis).await;
    let event = Event { id: None, name: "opened".into(), payload: Payload::default() };
    one.terminal.send(FromTerminal::Event(event)).await.unwrap();
    until("the event is dropped and counted", async || {
        metrics(&node).await.contains(r#"muster_reports_dropped_total{reason="event_refused"} 1"#)
    })
    .await;
    one.terminal.send(FromTerminal::Ack(Ack { id })).await.unwrap();
    node.counts(command["id"].as_str().unwrap(), 0, 0, 1).await;
    let _plain = node.terminal("plain", Plain, &[]).await;
    assert_eq!(joins(&redis).await, ["plain"], "no other session asks again");
    assert!(one.is_quiet());
}

#[tokio::test]
async fn a_session_that_can_not_be_registered_tries_again_alone() {
    let redis = TestRedis::start().await;
    let node = TestNode::start(&["--insecure", "--redis", &redis.url]).await;
    let mut good = node.terminal("good", V1, &[]).await;
    let ordinals = redis.partition_of("bad").await.key("ordinals");
    let () = redis.ask(&["HSET", &ordinals, "bad", "no number"]).await.unwrap();
    watch(&redis).await;
    let (tell, mut told) = tokio::sync::mpsc::channel(100);
    let config = muster_client::Config::new([format!("ws://{}/ws", node.address)], "bad".parse().unwrap());
    let terminal = muster_client::Terminal::start(config, tell).unwrap();
    assert!(matches!(told.recv().await, Some(Incoming::Online { .. })), "it is let in all the same");
    until("it has tried again", async || joins(&redis).await.len() == 2).await;
    let () = redis.ask(&["HDEL", &ordinals, "bad"]).await.unwrap();
    until("it is registered", async || is_online(&node, "bad").await).await;
    assert!(joins(&redis).await.iter().all(|terminal| terminal == "bad"), "no other session asks again");
    let mut bad = OnlineTerminal { terminal, told };
    assert_eq!(node.command(r#"{"all":true}"#, "1").await.1["targets"], 2);
    assert_eq!((good.payload().await, bad.payload().await), ("1".into(), "1".into()));
}

/// Waits until so many reports were dropped for this reason.
async fn are_dropped(node: &TestNode, reason: &str, count: usize) {
    let line = format!(r#"muster_reports_dropped_total{{reason="{reason}"}} {count}"#);
    until(&line, async || metrics(node).await.lines().any(|found| found == line)).await;
}

#[tokio::test]
async fn a_report_that_redis_refuses_for_good_is_dropped_and_holds_up_no_other() {
    let redis = TestRedis::start().await;
    let node = TestNode::start(&["--insecure", "--redis", &redis.url]).await;
    let mut one = node.terminal_with("one", |config| config.acknowledge = false).await;
    let (_, command) = node.command(r#"{"terminal":"one"}"#, "1").await;
    let (id, text) = (one.command().await.id, command["id"].as_str().unwrap());
    // Another type under a key makes Redis refuse what is written there.
    let keys = redis.partition_of("one").await;
    let () = redis.ask(&["SET", &keys.key(&format!("command:{text}:replies")), "no hash"]).await.unwrap();
    let () = redis.ask(&["SET", &keys.key("health"), "no hash"]).await.unwrap();
    let progress = Progress { id, payload: Payload::from_text("half") };
    one.terminal.send(FromTerminal::Progress(progress)).await.unwrap();
    are_dropped(&node, "reply_refused", 1).await;
    let health = r#"{"type":"health","condition":"failing"}"#;
    one.terminal.send(FromTerminal::decode(health).unwrap()).await.unwrap();
    are_dropped(&node, "health_refused", 1).await;
    let () = redis.ask(&["DEL", &keys.key("health")]).await.unwrap();
    // The state that came with the reply.
    until("it runs", async || get(node.address, &format!("/v1/commands/{text}")).await.1["counts"]["running"] == 1)
        .await;
    let ordinal: u32 = redis.ask(&["HGET", &keys.key("ordinals"), "one"]).await.unwrap();
    let backlog = keys.key(&format!("backlog:{ordinal}"));
    let () = redis.ask(&["DEL", &backlog]).await.unwrap();
    let () = redis.ask(&["SET", &backlog, "no sorted set"]).await.unwrap();
    let ended = format!(r#"{{"type":"result","id":"{text}","ok":true}}"#);
    one.terminal.send(FromTerminal::decode(&ended).unwrap()).await.unwrap();
    are_dropped(&node, "state_refused", 1).await;
    let _two = node.terminal("two", V1, &[]).await;
    let (_, command) = node.command(r#"{"terminal":"two"}"#, "1").await;
    node.counts(command["id"].as_str().unwrap(), 0, 0, 1).await;
}
