//! Operators' keys: made, listed and revoked.

use std::time::{Duration, Instant};

use muster_protocol::token::{OperatorClaims, Scope, Secret, sign};
use muster_testkit::{
    follower::EventFollower,
    http::request,
    token::{NEVER, SECRET},
    wait::until,
};
use serde_json::{Value, json};

use crate::{cluster::Cluster, limited::limited};

crate::on_both!(
    a_key_is_made_listed_used_and_revoked_on_every_node,
    a_key_that_was_made_elsewhere_is_listed_once_it_is_used,
    a_key_that_is_not_listed_is_revoked_too,
    a_limited_key_makes_no_key_that_can_more_than_itself,
    keys_that_can_t_be_are_refused | ["--secret", muster_testkit::token::SECRET]
);

fn header(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\n")
}

/// A key that no node has made.
fn made_elsewhere(id: &str) -> String {
    let claims = OperatorClaims { jti: Some(id.into()), ..OperatorClaims::new("bob", NEVER, Scope::Read) };
    header(&sign(&SECRET.parse::<Secret>().unwrap(), &claims))
}

async fn listed(cluster: &Cluster, id: &str) -> Option<Value> {
    let page = cluster.get("/v1/keys").await;
    page["keys"].as_array().unwrap().iter().find(|key| key["id"] == id).cloned()
}

/// Waits until every node refuses the key.
async fn is_refused(cluster: &Cluster, key: &str) {
    for node in [cluster.here(), cluster.there()] {
        let ask = async || request(node.address, &format!("GET /v1/terminals HTTP/1.1\r\n{key}")).await.0;
        until("the key is refused", async || ask().await == 401).await;
    }
}

async fn a_key_is_made_listed_used_and_revoked_on_every_node(cluster: Cluster) {
    let body = json!({ "name": "ann", "scope": "read", "labels": { "shop": "7" }, "valid_for": "1h" }).to_string();
    let (status, made) = cluster.ask("POST", "/v1/keys", &body).await;
    assert_eq!((status, &made["labels"]), (201, &json!({ "shop": "7" })), "{made}");
    let (id, key) = (made["id"].as_str().unwrap(), header(made["key"].as_str().unwrap()));
    let shown = listed(&cluster, id).await.unwrap();
    assert_eq!(
        (&shown["name"], &shown["scope"], &shown["last_used_at"]),
        (&json!("ann"), &json!("read"), &Value::Null)
    );
    assert!(shown.get("key").is_none() && shown["revoked"] == false, "{shown}");
    let mut stream = EventFollower::open_with(cluster.there().address, "/v1/events", &key).await;
    until("its use is known", async || listed(&cluster, id).await.unwrap()["last_used_at"] != Value::Null).await;
    let began = Instant::now();
    let (status, revoked) = cluster.ask("DELETE", &format!("/v1/keys/{id}"), "").await;
    assert_eq!((status, &revoked["known"]), (200, &json!(true)), "{revoked}");
    stream.read_to_end().await;
    is_refused(&cluster, &key).await;
    // Within 2 s on a machine that has nothing else to do.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert!(stream.text.contains("event: revoked"), "{}", stream.text);
    until("the list says so", async || listed(&cluster, id).await.unwrap()["revoked"] == true).await;
    assert_eq!(cluster.ask("DELETE", &format!("/v1/keys/{id}"), "").await.0, 200);
    assert_eq!(cluster.get("/v1/revocations").await["revocations"].as_array().unwrap().len(), 1);
}

async fn a_key_that_was_made_elsewhere_is_listed_once_it_is_used(cluster: Cluster) {
    let key = made_elsewhere("elsewhere");
    assert_eq!(listed(&cluster, "elsewhere").await, None);
    assert_eq!(request(cluster.there().address, &format!("GET /v1/fleet HTTP/1.1\r\n{key}")).await.0, 200);
    until("it is listed", async || listed(&cluster, "elsewhere").await.is_some()).await;
    let shown = listed(&cluster, "elsewhere").await.unwrap();
    assert_eq!((&shown["name"], &shown["kid"], &shown["by"]), (&json!("bob"), &json!("k1"), &Value::Null));
    assert!(shown["last_used_at"].is_string(), "{shown}");
}

async fn a_key_that_is_not_listed_is_revoked_too(cluster: Cluster) {
    let (status, revoked) = cluster.ask("DELETE", "/v1/keys/never-used", "").await;
    assert_eq!((status, &revoked["known"]), (200, &json!(false)));
    is_refused(&cluster, &made_elsewhere("never-used")).await;
    let shop = limited("k", &[("shop", "7")], &[]);
    assert_eq!(cluster.ask_with("DELETE", "/v1/keys/another", &shop, "").await.0, 404);
}

async fn a_limited_key_makes_no_key_that_can_more_than_itself(cluster: Cluster) {
    let maker = limited("maker", &[("shop", "7")], &["show", "ring"]);
    let make = async |key: &str, body: Value| cluster.ask_with("POST", "/v1/keys", key, &body.to_string()).await;
    let shop = json!({ "shop": "7" });
    for body in [
        json!({ "name": "x", "scope": "read" }),
        json!({ "name": "x", "scope": "read", "labels": shop }),
        json!({ "name": "x", "scope": "read", "labels": { "shop": "8" }, "commands": ["show"] }),
        json!({ "name": "x", "scope": "read", "labels": shop, "commands": ["show", "wipe"] }),
    ] {
        let (status, problem) = make(&maker, body.clone()).await;
        assert!(
            status == 403 && problem["detail"].as_str().unwrap().contains("no more than itself"),
            "{body}: {problem}"
        );
    }
    let good = json!({ "name": "child", "scope": "admin", "labels": shop, "commands": ["show"] });
    let (status, child) = make(&maker, good.clone()).await;
    assert_eq!((status, &child["origin"]), (201, &json!("maker")), "{child}");
    let child = header(child["key"].as_str().unwrap());
    assert_eq!(make(&child, good).await.0, 403, "a limited key's key makes none");
    let (_, of_all) = make("", json!({ "name": "other", "scope": "read" })).await;
    let (_, page) = cluster.ask_with("GET", "/v1/keys", &maker, "").await;
    let names: Vec<_> = page["keys"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"child") && !names.contains(&"other"), "{page}");
    let path = format!("/v1/keys/{}", of_all["id"].as_str().unwrap());
    assert_eq!(cluster.ask_with("DELETE", &path, &maker, "").await.0, 404);
    assert_eq!(cluster.ask("DELETE", "/v1/keys/maker", "").await.0, 200);
    is_refused(&cluster, &child).await;
}

async fn keys_that_can_t_be_are_refused(cluster: Cluster) {
    for (body, says) in [
        (json!({ "name": "", "scope": "read" }), "name: 1 to 128 bytes"),
        (json!({ "name": "a", "scope": "root" }), "scope"),
        (json!({ "name": "a", "scope": "read", "valid_for": "0s" }), "valid_for"),
        (json!({ "name": "a", "scope": "read", "labels": { "a": "b,c" } }), "has a comma"),
        (json!({ "name": "a", "scope": "read", "commands": [""] }), "commands: at most 64"),
        (json!({ "name": "a", "scope": "read", "expires_in": "1d" }), "unknown field"),
    ] {
        let (status, problem) = cluster.ask("POST", "/v1/keys", &body.to_string()).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == 400 && (detail.contains(says) || says == "scope"), "{body}: {problem}");
    }
    assert_eq!(cluster.get("/v1/keys").await["keys"], json!([]));
}
