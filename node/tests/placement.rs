//! A node among others: it tells the proxy where a handshake belongs, takes no more than its budget, and sends sessions away when
//! asked, whichever node was asked.

use muster_client::{ConnectionEnd, Incoming};
use muster_protocol::api::Protocol;
use muster_testkit::{
    TestNode, TestRedis,
    http::{get, handshake, placement, post, request},
    token::SECRET,
    wait::until,
};
use serde_json::json;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, client::IntoClientRequest},
};

/// Where a proxy is told to send this terminal's handshake.
async fn placed(node: &TestNode, terminal: &str) -> String {
    placement(node.address, &format!("?terminal_id={terminal}"), "Authorization: Bearer x\r\n").await
}

/// The node's id, as the other nodes know it.
async fn id(node: &TestNode) -> String {
    let nodes = get(node.address, "/v1/nodes").await.1["nodes"].clone();
    let me = nodes.as_array().unwrap().iter().find(|view| view["address"] == node.address.to_string());
    me.expect("its own lease")["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_proxy_is_told_where_and_whoever_was_placed_is_taken() {
    let redis = TestRedis::start().await;
    let flags = ["--insecure", "--redis", &redis.url];
    let (old, young) = (TestNode::start(&flags).await, TestNode::start(&flags).await);
    until("the older node sends to the younger", async || placed(&old, "t1").await == young.address.to_string()).await;
    assert_eq!(placed(&young, "t1").await, young.address.to_string());
    // Placed already: taken by whichever node gets it.
    let mut request = format!("ws://{}/ws?terminal_id=t1", old.address).into_client_request().unwrap();
    request.headers_mut().insert("X-Edge", "host/7/1".parse().unwrap());
    request.headers_mut().insert("X-Reroute", "1".parse().unwrap());
    let (_socket, _) = connect_async(request).await.unwrap();
    until("it is registered", async || get(old.address, "/v1/terminals/t1").await.1["node"] != serde_json::Value::Null)
        .await;
    assert_eq!(get(old.address, "/v1/terminals/t1").await.1["node"], id(&old).await);
    young.stop().await;
    until("nobody else is there", async || placed(&old, "t2").await == old.address.to_string()).await;
    old.stop().await;
}

#[tokio::test]
async fn sticky_nodes_agree_about_each_id() {
    let redis = TestRedis::start().await;
    let flags = ["--insecure", "--redis", &redis.url, "--placement", "sticky"];
    let (one, other) = (TestNode::start(&flags).await, TestNode::start(&flags).await);
    for number in 0..20 {
        let terminal = format!("t{number}");
        until("they agree", async || placed(&one, &terminal).await == placed(&other, &terminal).await).await;
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_proxy_that_is_not_trusted_is_told_to_stay_and_not_believed() {
    let redis = TestRedis::start().await;
    let flags = ["--insecure", "--redis", &redis.url];
    let untrusting = TestNode::start(&[&flags[..], &["--trusted-proxy", "10.0.0.0/8"]].concat()).await;
    let young = TestNode::start(&flags).await;
    until("both know each other", async || get(untrusting.address, "/v1/nodes").await.1["nodes"][1].is_object()).await;
    for _ in 0..20 {
        assert_eq!(placed(&untrusting, "t1").await, untrusting.address.to_string());
    }
    let mut request = format!("ws://{}/ws?terminal_id=t1", untrusting.address).into_client_request().unwrap();
    for (name, value) in [("X-Edge", "host/7/1"), ("X-Reroute", "1"), ("X-Real-IP", "203.0.113.9")] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let _socket = connect_async(request).await.expect("the second step is taken");
    let known = async || get(untrusting.address, "/v1/terminals/t1").await;
    until("it is online", async || known().await.0 == 200).await;
    assert_eq!(known().await.1["address"], "127.0.0.1");
    young.stop().await;
    untrusting.stop().await;
}

#[tokio::test]
async fn a_node_outside_of_the_allowed_networks_gets_no_handshake_and_is_marked() {
    let redis = TestRedis::start().await;
    let flags = ["--insecure", "--redis", &redis.url];
    let old = TestNode::start(&[&flags[..], &["--allow", "127.0.0.0/8"]].concat()).await;
    let young = TestNode::start(&[&flags[..], &["--advertise", "203.0.113.7:9000"]].concat()).await;
    // What a node says of each node that it does not use.
    let refused = async |node: &TestNode| {
        let nodes = get(node.address, "/v1/nodes").await.1["nodes"].as_array().unwrap().clone();
        let refused =
            nodes.iter().filter_map(|node| Some(format!("{} {}", node["address"], node["refused"].as_str()?)));
        refused.collect::<Vec<_>>()
    };
    until("the other one is marked", async || {
        refused(&old).await == [r#""203.0.113.7:9000" its address is in no network of --allow"#]
    })
    .await;
    assert!(refused(&young).await.is_empty(), "by default each network is allowed");
    assert_eq!(placed(&old, "t1").await, old.address.to_string());
    assert_eq!(post(old.address, "/v1/nodes/rebalance", "").await.1["moving"], json!({}));
    let flags = [&flags[..], &["--allow", "10.0.0.0/8"]].concat();
    assert!(TestNode::start_error(&flags).await.starts_with("--allow has no network with 127.0.0.1:"));
    young.stop().await;
    old.stop().await;
}

#[tokio::test]
async fn a_handshake_that_will_be_refused_goes_where_a_trusted_proxy_limits_such_ones() {
    let node = TestNode::start(&["--secret", SECRET]).await;
    let untrusting = TestNode::start(&["--secret", SECRET, "--trusted-proxy", "10.0.0.0/8"]).await;
    let at = async |node: &TestNode, headers: &str| {
        let headers = format!("X-Edge: host/7/1\r\nAuthorization: Bearer no.t.oken\r\n{headers}");
        let (status, head, _) = request(node.address, &handshake("?terminal_id=t1", &headers)).await;
        let target = head.lines().find_map(|line| line.strip_prefix("x-accel-redirect: "));
        (status, target.map(str::to_owned))
    };
    let limits = "X-Edge-Refused: 1\r\n";
    assert_eq!(at(&node, limits).await, (200, Some(format!("/_refused/{}", node.address))));
    assert_eq!(at(&node, &format!("{limits}X-Reroute: 1\r\n")).await, (401, None), "it has come again");
    assert_eq!(at(&node, "").await, (401, None), "an older proxy has no such place");
    assert_eq!(at(&untrusting, limits).await, (401, None));
    let metrics = request(node.address, "GET /metrics HTTP/1.1\r\n").await.2;
    let refused = r#"muster_handshakes_refused_total{cause="bad_token",status="401"} 2"#;
    assert!(metrics.contains(refused), "{metrics}");
    node.stop().await;
    untrusting.stop().await;
}

#[tokio::test]
async fn a_proxy_is_told_whether_it_is_trusted_and_what_it_must_do_alike() {
    let trusting = TestNode::start(&["--insecure", "--max-body", "1000", "--ping", "7s"]).await;
    let told = get(trusting.address, "/proxy").await.1;
    let terms = json!({ "trusted": true, "address": "127.0.0.1", "ws_path": "/ws", "max_body": 1000, "ping_ms": 7000 });
    assert_eq!(told, terms);
    trusting.stop().await;
    let untrusting = TestNode::start(&["--insecure", "--trusted-proxy", "10.0.0.0/8"]).await;
    assert_eq!(get(untrusting.address, "/proxy").await.1["trusted"], false);
    untrusting.stop().await;
}

#[tokio::test]
async fn over_the_budget_a_handshake_is_told_when_to_come_back() {
    let node = TestNode::start(&["--insecure", "--handshakes", "1"]).await;
    let url = format!("ws://{}/ws?terminal_id=t1", node.address);
    let _first = connect_async(&url).await.unwrap();
    let Err(Error::Http(refusal)) = connect_async(&url).await else { panic!("taken over the budget") };
    assert_eq!(refusal.status(), 429);
    let seconds: u64 = refusal.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    node.stop().await;
}

#[tokio::test]
async fn any_node_can_be_asked_to_drain_another() {
    let redis = TestRedis::start().await;
    let flags = ["--insecure", "--redis", &redis.url];
    let (one, other) = (TestNode::start(&flags).await, TestNode::start(&flags).await);
    let mut terminal = other.terminal("t1", Protocol::V1, &[]).await;
    assert_eq!(post(one.address, "/v1/nodes/nobody/drain", "").await.0, 404);
    let path = format!("/v1/nodes/{}/drain", id(&other).await);
    until("it hears", async || post(one.address, &path, "").await.0 == 202).await;
    other.leaves().await;
    let Incoming::Offline { end: ConnectionEnd::Closed { code, hint, .. }, .. } = terminal.next().await else {
        panic!()
    };
    assert!(code == 1012 && hint.is_some());
    one.stop().await;
}

#[tokio::test]
async fn nodes_that_are_stopped_together_take_turns() {
    let redis = TestRedis::start().await;
    let flags = ["--insecure", "--redis", &redis.url];
    let (one, other) = (TestNode::start(&flags).await, TestNode::start(&flags).await);
    let _terminals = (one.terminal("t1", Protocol::V1, &[]).await, other.terminal("t2", Protocol::V1, &[]).await);
    let [first, last] = if id(&one).await < id(&other).await { [one, other] } else { [other, one] };
    let address = last.address;
    let last_id = id(&last).await;
    let last = tokio::spawn(last.stop());
    let nodes = async || get(address, "/v1/nodes").await.1["nodes"].as_array().unwrap().clone();
    until("it is leaving", async || {
        nodes().await.iter().any(|node| node["id"] == *last_id && node["state"] == "leaving")
    })
    .await;
    first.stop().await;
    // It would be the only one, and goes on serving, until another is there.
    connect_async(format!("ws://{address}/ws?terminal_id=t3")).await.expect("it takes sessions");
    assert!(!last.is_finished());
    let new = TestNode::start(&flags).await;
    last.await.unwrap();
    new.stop().await;
}

#[tokio::test]
async fn a_surplus_is_sent_away_and_the_rest_stays() {
    let redis = TestRedis::start().await;
    let flags = ["--insecure", "--redis", &redis.url];
    let (full, empty) = (TestNode::start(&flags).await, TestNode::start(&flags).await);
    let mut sockets = Vec::new();
    for number in 0..10 {
        let url = format!("ws://{}/ws?terminal_id=t{number}", full.address);
        sockets.push(connect_async(url).await.unwrap());
    }
    until("both are known, with their counts", async || {
        get(empty.address, "/v1/nodes").await.1["nodes"].as_array().unwrap().iter().any(|node| node["sessions"] == 10)
    })
    .await;
    let (status, moving) = post(empty.address, "/v1/nodes/rebalance?rate=100", "").await;
    assert_eq!((status, moving["moving"][id(&full).await].as_u64()), (202, Some(5)), "{moving}");
    until("five are left", async || {
        let nodes = get(empty.address, "/v1/nodes").await.1;
        nodes["nodes"].as_array().unwrap().iter().any(|node| node["sessions"] == 5)
    })
    .await;
    full.stop().await;
    empty.stop().await;
}
