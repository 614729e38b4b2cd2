//! Revoked tokens and keys: who lives by them ends, on whichever node, and is not let in again.

use std::time::Duration;

use jiff::Timestamp;
use muster_protocol::token::{OperatorClaims, Scope, Secret, TerminalClaims, sign};
use muster_testkit::{
    OnlineTerminal, TestNode,
    follower::EventFollower,
    http,
    http::{head_of_answer, request},
    token::{NEVER, SECRET},
    wait::until,
};
use serde_json::{Value, json};
use tokio::time;

use crate::{cluster::Cluster, deaf::closed};

crate::on_both!(
    a_terminal_whose_tokens_are_revoked_is_closed_with_4501_and_comes_in_with_a_later_token,
    one_token_of_several_is_revoked_by_its_id,
    a_stream_ends_when_its_key_is_revoked,
    revocations_are_listed_page_by_page_and_taken_back,
    a_revocation_that_says_nothing_or_too_much_is_refused | ["--secret", muster_testkit::token::SECRET]
);

/// A revocation holds on every node within 2 s. It may take three times as long here: tests share the processors with builds.
const WITHIN: Duration = Duration::from_secs(6);

/// The code with which the terminal is closed, in time.
async fn closed_in_time(terminal: &mut OnlineTerminal) -> u16 {
    time::timeout(WITHIN, closed(terminal)).await.expect("a revocation ends sessions in time")
}

fn secret() -> Secret {
    SECRET.parse().unwrap()
}

fn now() -> u64 {
    Timestamp::now().as_second() as u64
}

fn token(terminal: &str, id: &str, issued: u64) -> String {
    let claims = TerminalClaims::new(terminal.parse().unwrap(), NEVER);
    sign(&secret(), &TerminalClaims { jti: Some(id.into()), iat: Some(issued), ..claims })
}

async fn online(node: &TestNode, terminal: &str, token: &str) -> OnlineTerminal {
    node.terminal_with(terminal, |config| config.token = Some(token.parse().unwrap())).await
}

/// The head of the answer to a handshake with this token.
async fn handshake(node: &TestNode, token: &str) -> String {
    head_of_answer(node.address, &http::handshake("", &format!("Authorization: Bearer {token}\r\n"))).await
}

async fn is_let_in(node: &TestNode, token: &str) -> bool {
    handshake(node, token).await.starts_with("HTTP/1.1 101 ")
}

/// Whether the token itself is refused. A handshake beyond the terminal's budget is not let in either.
async fn is_refused(node: &TestNode, token: &str) -> bool {
    handshake(node, token).await.starts_with("HTTP/1.1 401 ")
}

async fn revoke(cluster: &Cluster, body: Value) -> Value {
    let (status, revocation) = cluster.ask("POST", "/v1/revocations", &body.to_string()).await;
    assert_eq!(status, 201, "{revocation}");
    revocation
}

async fn a_terminal_whose_tokens_are_revoked_is_closed_with_4501_and_comes_in_with_a_later_token(cluster: Cluster) {
    let (old, new) = (token("far", "a", now() - 10), token("far", "b", now() + 5));
    let mut far = online(cluster.there(), "far", &old).await;
    let mut other = online(cluster.there(), "other", &token("other", "c", now() - 10)).await;
    revoke(&cluster, json!({ "terminal": "far" })).await;
    assert_eq!(closed_in_time(&mut far).await, 4501);
    assert!(other.is_quiet());
    for node in [cluster.here(), cluster.there()] {
        until("the old token is refused", async || is_refused(node, &old).await).await;
        assert!(is_let_in(node, &new).await);
    }
    let header = format!("Authorization: Bearer {old}\r\n");
    let (status, _, body) = request(cluster.here().address, &http::handshake("", &header)).await;
    assert!(status == 401 && body.contains("it was revoked"), "{status} {body}");
    until("it is told", async || cluster.events().await.contains(r#""reason":"token_revoked""#)).await;
}

async fn one_token_of_several_is_revoked_by_its_id(cluster: Cluster) {
    let (stolen, good) = (token("t1", "stolen", now()), token("t2", "good", now()));
    let mut one = online(cluster.there(), "t1", &stolen).await;
    let mut two = online(cluster.there(), "t2", &good).await;
    revoke(&cluster, json!({ "token_id": "stolen" })).await;
    assert_eq!(closed(&mut one).await, 4501);
    assert!(two.is_quiet() && is_let_in(cluster.there(), &token("t1", "next", now() - 100)).await);
    // All that the key signed until now. The tokens that tests use as a rule do not say when they were made.
    revoke(&cluster, json!({ "kid": "k1", "expires_in": "1h" })).await;
    assert_eq!(closed(&mut two).await, 4501);
}

async fn a_stream_ends_when_its_key_is_revoked(cluster: Cluster) {
    let key = |name: &str| {
        let claims = OperatorClaims { iat: Some(now()), ..OperatorClaims::new(name, NEVER, Scope::Read) };
        format!("Authorization: Bearer {}\r\n", sign(&secret(), &claims))
    };
    let (ann, bob) = (key("ann"), key("bob"));
    let there = cluster.there().address;
    let mut ended = EventFollower::open_with(there, "/v1/events", &ann).await;
    let mut other = EventFollower::open_with(there, "/v1/events", &bob).await;
    let (status, ticket) = cluster.ask_with("POST", "/v1/ticket", &ann, "").await;
    assert_eq!(status, 201, "{ticket}");
    let by_ticket = format!("/v1/events?ticket={}", ticket["ticket"].as_str().unwrap());
    let mut by_ticket = EventFollower::open_with(there, &by_ticket, "").await;
    revoke(&cluster, json!({ "operator": "ann" })).await;
    for stream in [&mut ended, &mut by_ticket] {
        stream.read_to_end().await;
        assert!(stream.text.rsplit("event: ").next().unwrap().starts_with("revoked\n"), "{}", stream.text);
    }
    let ask = async |key: &str| request(there, &format!("GET /v1/nodes HTTP/1.1\r\n{key}")).await.0;
    assert_eq!((ask(&ann).await, ask(&bob).await), (401, 200));
    let _online = online(cluster.there(), "t1", &token("t1", "a", now())).await;
    other.read_until("terminal.online").await;
    assert!(!other.text.contains("event: revoked"), "{}", other.text);
}

async fn revocations_are_listed_page_by_page_and_taken_back(cluster: Cluster) {
    let token = token("t1", "a", now() - 10);
    let first = revoke(&cluster, json!({ "token_id": "a" })).await;
    let second = revoke(&cluster, json!({ "terminal": "t2", "issued_before": "2026-01-01T00:00:00Z" })).await;
    until("it is refused", async || is_refused(cluster.there(), &token).await).await;
    let page = cluster.get("/v1/revocations?limit=1").await;
    assert_eq!((&page["revocations"], &page["next"]), (&json!([second]), &second["id"]));
    let page = cluster.get(&format!("/v1/revocations?after={}", second["id"].as_str().unwrap())).await;
    assert_eq!((&page["revocations"], &page["next"]), (&json!([first]), &Value::Null));
    let path = format!("/v1/revocations/{}", first["id"].as_str().unwrap());
    assert_eq!(cluster.ask("DELETE", &path, "").await.0, 200);
    assert_eq!(cluster.ask("DELETE", &path, "").await.0, 404);
    until("it is accepted again", async || is_let_in(cluster.there(), &token).await).await;
}

async fn a_revocation_that_says_nothing_or_too_much_is_refused(cluster: Cluster) {
    for (body, says) in [
        (json!({}), "say which tokens"),
        (json!({ "terminal": "t1", "operator": "op" }), "for one of them"),
        (json!({ "terminal": "t 1" }), "a terminal id must be"),
        (json!({ "token_id": "" }), "token_id: 1 to 512 bytes"),
        (json!({ "kid": "k1", "expires_in": "400d" }), "expires_in"),
        (json!({ "kid": "k1", "until": "1d" }), "unknown field"),
    ] {
        let (status, problem) = cluster.ask("POST", "/v1/revocations", &body.to_string()).await;
        assert!(status == 400 && problem["detail"].as_str().unwrap().contains(says), "{body}: {problem}");
    }
    assert_eq!(cluster.get("/v1/revocations").await["revocations"], json!([]));
    let key = sign(&secret(), &OperatorClaims::new("op", NEVER, Scope::Command));
    let (status, _) = cluster
        .ask_with("POST", "/v1/revocations", &format!("Authorization: Bearer {key}\r\n"), r#"{"kid":"k1"}"#)
        .await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn a_node_that_is_deaf_applies_a_revocation_all_the_same() {
    let cluster = Cluster::redis(&["--secret", SECRET]).await;
    let mut far = online(cluster.there(), "far", &token("far", "a", now() - 10)).await;
    cluster.redis.as_ref().unwrap().deafen().await;
    revoke(&cluster, json!({ "terminal": "far" })).await;
    assert_eq!(closed_in_time(&mut far).await, 4501);
}

#[tokio::test]
async fn a_node_that_starts_knows_what_was_revoked_before() {
    let cluster = Cluster::redis(&["--secret", SECRET]).await;
    revoke(&cluster, json!({ "token_id": "a" })).await;
    let redis = cluster.redis.as_ref().unwrap();
    let node = TestNode::start(&["--redis", &redis.url, "--partitions", "5", "--secret", SECRET, "--insecure"]).await;
    assert!(is_refused(&node, &token("t1", "a", now())).await);
    node.stop().await;
}
