//! One suite for both backplanes: a node alone, and two nodes that share a Redis. In a cluster the second terminal hangs on the
//! other node than the one that is asked.

mod harness;

use harness::{Node, Redis, get, post, until};
use muster_client::{End, Incoming};
use muster_protocol::api::Protocol::{Plain, V1};

/// Where the first terminal and the operator are, and where the second terminal is.
struct Cluster {
    nodes: Vec<Node>,
    _redis: Option<Redis>,
}

impl Cluster {
    async fn local() -> Self {
        Self { nodes: vec![Node::start(&["--insecure"]).await], _redis: None }
    }

    async fn redis() -> Self {
        let redis = Redis::start().await;
        let flags = ["--insecure", "--redis", &redis.url];
        Self { nodes: vec![Node::start(&flags).await, Node::start(&flags).await], _redis: Some(redis) }
    }

    fn here(&self) -> &Node {
        &self.nodes[0]
    }

    fn there(&self) -> &Node {
        self.nodes.last().unwrap()
    }
}

macro_rules! on_both {
    ($($name:ident),*) => {
        mod local { $(#[tokio::test] async fn $name() { super::$name(super::Cluster::local().await).await; })* }
        mod redis { $(#[tokio::test] async fn $name() { super::$name(super::Cluster::redis().await).await; })* }
    };
}

on_both!(
    a_command_for_one_reaches_it_alone_and_is_acked,
    a_broadcast_reaches_all_once_and_in_order,
    labels_and_lists_select,
    unknown_and_offline_terminals_are_named,
    the_newer_session_replaces_the_older,
    what_a_plain_terminal_sends_is_an_event,
    the_registry_pages_in_order
);

async fn a_command_for_one_reaches_it_alone_and_is_acked(cluster: Cluster) {
    let mut near = cluster.here().terminal("near", V1, &[]).await;
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    let (status, command) = cluster.here().command(r#"{"terminal":"far"}"#, r#"{"n":1.50}"#).await;
    assert_eq!((status, &command["targets"]), (202, &1.into()));
    assert_eq!(far.payload().await, r#"{"n":1.50}"#);
    cluster.there().counts(command["id"].as_str().unwrap(), 0, 0, 1).await;
    assert!(near.is_quiet());
}

async fn a_broadcast_reaches_all_once_and_in_order(cluster: Cluster) {
    let mut near = cluster.here().terminal("near", V1, &[]).await;
    let mut far = cluster.there().terminal("far", Plain, &[]).await;
    let mut last = String::new();
    for number in 0..100 {
        let (status, command) = cluster.here().command(r#"{"all":true}"#, &number.to_string()).await;
        assert_eq!(status, 202);
        last = command["id"].as_str().unwrap().to_owned();
    }
    for number in 0..100 {
        assert_eq!((near.payload().await, far.payload().await), (number.to_string(), number.to_string()));
    }
    // A plain terminal confirms nothing.
    cluster.here().counts(&last, 0, 1, 1).await;
    assert!(near.is_quiet() && far.is_quiet());
}

async fn labels_and_lists_select(cluster: Cluster) {
    let mut bj = cluster.here().terminal("bj", V1, &[("site", "bj"), ("kind", "kiosk")]).await;
    let mut sh = cluster.there().terminal("sh", V1, &[("site", "sh"), ("kind", "kiosk")]).await;
    for (target, targets) in [
        (r#"{"labels":{"site":"sh","kind":"kiosk"}}"#, 1),
        (r#"{"labels":{"kind":"kiosk"}}"#, 2),
        (r#"{"terminals":["sh","bj","sh"]}"#, 2),
        (r#"{"labels":{"site":"nowhere"}}"#, 0),
    ] {
        assert_eq!(cluster.here().command(target, r#""x""#).await.1["targets"], targets, "{target}");
    }
    for _ in 0..2 {
        bj.payload().await;
    }
    for _ in 0..3 {
        sh.payload().await;
    }
    assert!(bj.is_quiet() && sh.is_quiet());
}

async fn unknown_and_offline_terminals_are_named(cluster: Cluster) {
    let far = cluster.there().terminal("far", V1, &[]).await;
    let (status, problem) = cluster.here().command(r#"{"terminals":["far","nobody"]}"#, "1").await;
    assert_eq!((status, problem["detail"].as_str().unwrap()), (404, "no such terminal: nobody"));
    far.terminal.close().await;
    until("it is offline", async || get(cluster.here().address, "/v1/terminals/far").await.1["status"] == "offline")
        .await;
    let skip = r#"{"target":{"terminal":"far"},"name":"show","offline":"skip"}"#;
    let (status, problem) = post(cluster.here().address, "/v1/commands", skip).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().ends_with(": far"), "{problem}");
}

async fn the_newer_session_replaces_the_older(cluster: Cluster) {
    let mut older = cluster.here().terminal("t1", V1, &[]).await;
    let mut newer = cluster.there().terminal("t1", V1, &[]).await;
    let gone = older.next().await;
    assert!(matches!(&gone, Incoming::Gone(End::Closed { code: 4509, .. })), "{gone:?}");
    assert_eq!(cluster.here().command(r#"{"terminal":"t1"}"#, "1").await.0, 202);
    assert_eq!(newer.payload().await, "1");
}

async fn what_a_plain_terminal_sends_is_an_event(cluster: Cluster) {
    let far = cluster.there().terminal("far", Plain, &[]).await;
    far.terminal.text("doo\"r\nopen").await.unwrap();
    let mut events = String::new();
    until("the event is there", async || {
        events = tail(&cluster).await;
        events.contains("terminal.event")
    })
    .await;
    assert!(events.contains(r#""name":"message","payload":"doo\"r\nopen""#), "{events}");
}

/// The beginning of the stream of all events.
async fn tail(cluster: &Cluster) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(cluster.here().address).await.unwrap();
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: t\r\nLast-Event-ID: 0-0\r\n\r\n").await.unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(count)) =
        tokio::time::timeout(std::time::Duration::from_millis(500), stream.read(&mut buffer)).await
    {
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    text
}

async fn the_registry_pages_in_order(cluster: Cluster) {
    let mut terminals = Vec::new();
    for id in ["c", "a", "b"] {
        terminals.push(cluster.there().terminal(id, V1, &[("site", "bj")]).await);
    }
    let ids = async |query: &str| {
        let page = get(cluster.here().address, &format!("/v1/terminals{query}")).await.1;
        let ids: Vec<_> =
            page["terminals"].as_array().unwrap().iter().map(|t| t["id"].as_str().unwrap().to_owned()).collect();
        (ids.join(","), page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(ids("?limit=2&selector=site=bj").await, ("a,b".into(), Some("b".into())));
    assert_eq!(ids("?limit=2&after=b").await, ("c".into(), None));
    assert_eq!(ids("?status=offline").await, (String::new(), None));
    assert_eq!(
        get(cluster.here().address, "/v1/nodes").await.1["nodes"].as_array().unwrap().len(),
        cluster.nodes.len()
    );
}
