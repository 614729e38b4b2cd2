//! Sessions of operators: a token in the place of a key.

use jiff::Timestamp;
use muster_protocol::{
    api::Protocol::V1,
    token::{OperatorClaims, Scope, Secret, sign},
};
use muster_testkit::{
    follower::EventFollower,
    http::{exchange, request},
    token::{NEVER, SECRET, key, key_until, token},
    wait::until,
};
use serde_json::{Value, json};

use crate::{cluster::Cluster, limited::limited};

crate::on_both!(
    a_session_is_used_as_its_key_on_every_node,
    a_session_is_renewed_and_the_sign_in_alone_is_recorded,
    a_session_ends_with_its_key,
    the_session_of_a_limited_key_has_its_limits,
    who_has_no_good_key_is_not_signed_in | ["--secret", muster_testkit::token::SECRET]
);

fn header(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The header with a key of this scope and id.
fn key_with(id: &str, scope: Scope) -> String {
    let claims = OperatorClaims { jti: Some(id.into()), ..OperatorClaims::new("ann", NEVER, scope) };
    header(&sign(&SECRET.parse::<Secret>().unwrap(), &claims))
}

/// Signs in with this header. Returns the answer, and the header with its token.
async fn signed_in(cluster: &Cluster, header: &str) -> (Value, String) {
    let (status, session) = cluster.ask_with("POST", "/v1/session", header, "").await;
    assert_eq!(status, 201, "{session}");
    let token = self::header(session["token"].as_str().unwrap());
    (session, token)
}

/// The status of a call there.
async fn status(cluster: &Cluster, method: &str, path: &str, header: &str, body: &str) -> u16 {
    let head = format!("{method} {path} HTTP/1.1\r\nContent-Length: {}\r\n{header}", body.len());
    exchange(cluster.there().address, &head, body).await.0
}

/// The audit records of a key, once there are so many.
async fn records(cluster: &Cluster, key: &str, count: usize) -> Vec<Value> {
    let read = async || cluster.get(&format!("/v1/audit?key={key}")).await["records"].as_array().unwrap().clone();
    until("the records are stored", async || read().await.len() >= count).await;
    read().await
}

async fn a_session_is_used_as_its_key_on_every_node(cluster: Cluster) {
    let _far = cluster.there().terminal("far", V1, &[]).await;
    let (session, token) = signed_in(&cluster, &key_with("key-1", Scope::Command)).await;
    assert_eq!((&session["name"], &session["scopes"]), (&json!("ann"), &json!(["read", "command"])));
    assert!(session.get("labels").is_none() && session.get("key").is_none(), "{session}");
    assert_eq!(status(&cluster, "GET", "/v1/fleet", &token, "").await, 200);
    assert_eq!(status(&cluster, "DELETE", "/v1/terminals/far", &token, "").await, 403);
    let command = json!({ "target": { "terminal": "far" }, "name": "show" }).to_string();
    let (sent, answer) = cluster.ask_with("POST", "/v1/commands", &token, &command).await;
    assert_eq!((sent, &answer["name"]), (202, &json!("show")), "{answer}");
    let shown = cluster.get(&format!("/v1/commands/{}", answer["id"].as_str().unwrap())).await;
    assert_eq!(shown["by"], "ann");
    let records = records(&cluster, "key-1", 3).await;
    assert!(records.iter().all(|record| record["by"] == "ann" && record["key"] == "key-1"), "{records:?}");
    let mut stream = EventFollower::open_with(cluster.there().address, "/v1/events", &token).await;
    let _near = cluster.here().terminal("near", V1, &[]).await;
    stream.read_until("terminal.online").await;
}

async fn a_session_is_renewed_and_the_sign_in_alone_is_recorded(cluster: Cluster) {
    let (first, token) = signed_in(&cluster, &key_with("key-1", Scope::Read)).await;
    let (second, renewed) = signed_in(&cluster, &token).await;
    assert_eq!((&second["name"], &second["renew_until"]), (&json!("ann"), &first["renew_until"]));
    assert_eq!(status(&cluster, "GET", "/v1/fleet", &renewed, "").await, 200);
    let lasts = |session: &Value, field: &str| {
        let at: Timestamp = session[field].as_str().unwrap().parse().unwrap();
        at.as_second() - Timestamp::now().as_second()
    };
    assert!((840..=900).contains(&lasts(&second, "expires_at")), "{second}");
    assert!((43_140..=43_200).contains(&lasts(&second, "renew_until")), "{second}");
    // A later call, so that what came before it is stored.
    assert_eq!(status(&cluster, "DELETE", "/v1/terminals/far", &renewed, "").await, 403);
    let routes = async || {
        let records = records(&cluster, "key-1", 2).await;
        records.iter().map(|record| record["route"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut routes = routes().await;
    routes.sort_unstable();
    assert_eq!(routes, ["/v1/session", "/v1/terminals/{id}"]);
}

async fn a_session_ends_with_its_key(cluster: Cluster) {
    let (_, token) = signed_in(&cluster, &key_with("key-1", Scope::Admin)).await;
    let mut stream = EventFollower::open_with(cluster.there().address, "/v1/events", &token).await;
    assert_eq!(cluster.ask("DELETE", "/v1/keys/key-1", "").await.0, 200);
    stream.read_to_end().await;
    assert!(stream.text.contains("event: revoked"), "{}", stream.text);
    until("it is refused there", async || status(&cluster, "GET", "/v1/fleet", &token, "").await == 401).await;
    until("it is refused here", async || cluster.ask_with("POST", "/v1/session", &token, "").await.0 == 401).await;
    let exp = Timestamp::now().as_second() as u64 + 3;
    let (session, token) = signed_in(&cluster, &header(&key_until(exp, "bob", Scope::Read))).await;
    assert_eq!(session["expires_at"], session["renew_until"]);
    let (status_of_last, problem) = cluster.ask_with("POST", "/v1/session", &token, "").await;
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(status_of_last == 401 && (detail.contains("sign in with the key again") || detail.contains("expired")));
    until("it expires", async || status(&cluster, "GET", "/v1/fleet", &token, "").await == 401).await;
    assert!(Timestamp::now().as_second() as u64 > exp);
}

async fn the_session_of_a_limited_key_has_its_limits(cluster: Cluster) {
    let _seven = cluster.here().terminal("box-7", V1, &[("shop", "7")]).await;
    let _eight = cluster.there().terminal("box-8", V1, &[("shop", "8")]).await;
    let (session, token) = signed_in(&cluster, &limited("maker", &[("shop", "7")], &["show"])).await;
    assert_eq!((&session["labels"], &session["commands"]), (&json!({ "shop": "7" }), &json!(["show"])));
    assert_eq!(status(&cluster, "GET", "/v1/terminals/box-7", &token, "").await, 200);
    assert_eq!(status(&cluster, "GET", "/v1/terminals/box-8", &token, "").await, 404);
    assert_eq!(status(&cluster, "GET", "/v1/fleet", &token, "").await, 403);
    let wipe = json!({ "target": { "all": true }, "name": "wipe" }).to_string();
    assert_eq!(status(&cluster, "POST", "/v1/commands", &token, &wipe).await, 403);
    // It makes keys that are valid for longer than itself, as its key does.
    let child = json!({ "name": "child", "scope": "read", "labels": { "shop": "7" }, "commands": ["show"] });
    let (made, answer) = cluster.ask_with("POST", "/v1/keys", &token, &child.to_string()).await;
    assert_eq!((made, &answer["origin"]), (201, &json!("maker")), "{answer}");
}

async fn who_has_no_good_key_is_not_signed_in(cluster: Cluster) {
    for (sent, says) in [
        (String::new(), "send an operator key"),
        (header(&key_until(1, "ann", Scope::Read)), "expired"),
        (header(&token("far", NEVER)), "aud"),
        (header("x.y.z"), "refused"),
    ] {
        let (status, problem) = cluster.ask_with("POST", "/v1/session", &sent, "").await;
        assert!(status == 401 && problem["detail"].as_str().unwrap().contains(says), "{sent}: {problem}");
    }
    let (status, head, _) = request(
        cluster.here().address,
        &format!("POST /v1/session HTTP/1.1\r\nContent-Length: 0\r\n{}", header(&key(Scope::Read))),
    )
    .await;
    assert!(status == 201 && head.contains("cache-control: no-store"), "{head}");
}

mod without_secret {
    crate::on_both!(a_node_without_a_secret_signs_nobody_in);
    use super::a_node_without_a_secret_signs_nobody_in;
}

async fn a_node_without_a_secret_signs_nobody_in(cluster: Cluster) {
    let (status, problem) = cluster.ask("POST", "/v1/session", "").await;
    assert!(status == 501 && problem["detail"].as_str().unwrap().contains("--secret"), "{problem}");
}
