//! Keys with limits: whom they reach, what they see and what they are told.

use muster_protocol::{
    api::Protocol::V1,
    token::{KeyLimits, OperatorClaims, Scope, Secret, sign},
};
use muster_testkit::{
    OnlineTerminal,
    follower::EventFollower,
    token::{NEVER, SECRET},
};
use serde_json::{Value, json};

use crate::cluster::Cluster;

crate::on_both!(
    a_key_of_one_shop_reaches_its_terminals_alone,
    a_key_of_one_shop_sends_and_sees_commands_for_its_terminals_alone,
    a_key_of_one_shop_is_told_of_its_terminals_alone,
    a_key_of_one_shop_uses_saved_selectors_within_its_reach,
    a_key_sends_the_commands_alone_that_it_lists,
    a_key_of_one_shop_does_nothing_to_the_whole_fleet,
    two_limited_keys_of_one_name_share_no_idempotency_key | ["--secret", muster_testkit::token::SECRET]
);

/// The header with a key of the scope admin, limited so, with this id.
pub fn limited(id: &str, labels: &[(&str, &str)], commands: &[&str]) -> String {
    let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let limits = KeyLimits { labels, commands: commands.iter().map(|name| (*name).into()).collect() };
    let claims = OperatorClaims::new("ann", NEVER, Scope::Admin).limited_to(limits);
    let key = sign(&SECRET.parse::<Secret>().unwrap(), &OperatorClaims { jti: Some(id.into()), ..claims });
    format!("Authorization: Bearer {key}\r\n")
}

/// A terminal of shop 7, here, and one of shop 8, there.
async fn shops(cluster: &Cluster) -> [OnlineTerminal; 2] {
    let seven = cluster.here().terminal("box-7", V1, &[("shop", "7")]).await;
    [seven, cluster.there().terminal("box-8", V1, &[("shop", "8")]).await]
}

async fn status(cluster: &Cluster, key: &str, method: &str, path: &str, body: &str) -> u16 {
    cluster.ask_with(method, path, key, body).await.0
}

fn ids(page: &Value, list: &str) -> Vec<String> {
    page[list].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

async fn a_key_of_one_shop_reaches_its_terminals_alone(cluster: Cluster) {
    let [_seven, mut eight] = shops(&cluster).await;
    let key = limited("k", &[("shop", "7")], &[]);
    for (query, shown) in [
        ("", &["box-7"][..]),
        ("?selector=shop%3D7", &["box-7"]),
        ("?selector=shop%3D8", &[]),
        ("?match=shop%3D8+or+@id%3Dbox-7", &["box-7"]),
    ] {
        let (status, page) = cluster.ask_with("GET", &format!("/v1/terminals{query}"), &key, "").await;
        assert_eq!(
            (status, ids(&page, "terminals").as_slice()),
            (200, &shown.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()[..])
        );
    }
    for (method, path, body) in [
        ("GET", "", ""),
        ("GET", "/history", ""),
        ("DELETE", "/session", ""),
        ("DELETE", "", ""),
        ("PUT", "/labels", r#"{"shop":"7"}"#),
    ] {
        let path = |id: &str| format!("/v1/terminals/{id}{path}");
        assert_eq!(
            status(&cluster, &key, method, &path("box-8"), body).await,
            404,
            "{method} {path}",
            path = path("box-8")
        );
        let (_, told) = cluster.ask_with(method, &path("box-8"), &key, body).await;
        let (_, unknown) = cluster.ask_with(method, &path("none"), &key, body).await;
        assert_eq!(told.to_string().replace("box-8", "none"), unknown.to_string());
    }
    assert!(eight.is_quiet());
    let labels = "/v1/terminals/box-7/labels";
    for (body, expected) in
        [(r#"{"kind":"gate"}"#, 403), (r#"{"shop":"8"}"#, 403), (r#"{"shop":"7","kind":"gate"}"#, 200)]
    {
        assert_eq!(status(&cluster, &key, "PUT", labels, body).await, expected, "{body}");
    }
    assert_eq!(status(&cluster, &key, "GET", "/v1/terminals/box-7/history", "").await, 200);
    assert_eq!(status(&cluster, &key, "DELETE", "/v1/terminals/box-7", "").await, 200);
    assert_eq!(cluster.get("/v1/fleet").await["online"], 1);
}

async fn a_key_of_one_shop_sends_and_sees_commands_for_its_terminals_alone(cluster: Cluster) {
    let [mut seven, mut eight] = shops(&cluster).await;
    let key = limited("k", &[("shop", "7")], &[]);
    let send = async |key: &str, target: Value| {
        let body = json!({ "target": target, "name": "show" }).to_string();
        cluster.ask_with("POST", "/v1/commands", key, &body).await
    };
    let (all, both) = (json!({ "all": true }), json!({ "terminals": ["box-7", "box-8"] }));
    let (status_of_all, own) = send(&key, all.clone()).await;
    assert_eq!((status_of_all, &own["targets"]), (202, &json!(1)), "{own}");
    let received = seven.command().await;
    assert_eq!(received.id.to_string(), own["id"].as_str().unwrap());
    for (target, expected) in [
        (json!({ "labels": { "shop": "8" } }), 409),
        (json!({ "terminal": "box-8" }), 404),
        (both.clone(), 404),
        (json!({ "match": "shop = 8" }), 409),
        (json!({ "match": "not kind exists or shop = 8" }), 202),
        (json!({ "labels": { "shop": "7" } }), 202),
        (json!({ "terminal": "box-7" }), 202),
    ] {
        assert_eq!(send(&key, target.clone()).await.0, expected, "{target}");
    }
    let (_, counted) = cluster
        .ask_with("POST", "/v1/commands?dry_run=1", &key, &json!({ "target": all, "name": "show" }).to_string())
        .await;
    assert_eq!(counted, json!({ "targets": 1, "online": 1 }));
    assert!(eight.is_quiet());
    let [of_all, of_both] = [send("", all).await.1, send("", both).await.1];
    let own = own["id"].as_str().unwrap();
    for other in [&of_all, &of_both] {
        let id = other["id"].as_str().unwrap();
        for (method, path) in [("GET", ""), ("GET", "/targets"), ("DELETE", ""), ("POST", "/retry")] {
            let path = format!("/v1/commands/{id}{path}");
            assert_eq!(status(&cluster, &key, method, &path, "").await, 404, "{method} {path}");
        }
        let stream = EventFollower::open_with(cluster.here().address, &format!("/v1/events?command={id}"), &key).await;
        assert!(stream.text.starts_with("HTTP/1.1 404"), "{}", stream.text);
    }
    let (_, page) = cluster.ask_with("GET", "/v1/commands", &key, "").await;
    let listed = ids(&page, "commands");
    assert!(listed.len() == 4 && listed.contains(&own.to_owned()), "{page}");
    let (code, shown) = cluster.ask_with("GET", &format!("/v1/commands/{own}"), &key, "").await;
    assert_eq!((code, &shown["target"]), (200, &json!({ "labels": { "shop": "7" } })));
    assert_eq!(status(&cluster, &key, "GET", &format!("/v1/commands/{own}/targets"), "").await, 200);
}

async fn a_key_of_one_shop_is_told_of_its_terminals_alone(cluster: Cluster) {
    let key = limited("k", &[("shop", "7")], &[]);
    let there = cluster.there().address;
    let (_, ticket) = cluster.ask_with("POST", "/v1/ticket", &key, "").await;
    let by_ticket = format!("/v1/events?ticket={}", ticket["ticket"].as_str().unwrap());
    let mut streams = [
        EventFollower::open_with(there, "/v1/events", &key).await,
        EventFollower::open_with(there, &by_ticket, "").await,
    ];
    let _eight = cluster.there().terminal("box-8", V1, &[("shop", "8")]).await;
    let body = json!({ "target": { "all": true }, "name": "show" }).to_string();
    assert_eq!(cluster.ask("POST", "/v1/commands", &body).await.0, 202);
    let _seven = cluster.here().terminal("box-7", V1, &[("shop", "7")]).await;
    for stream in &mut streams {
        stream.read_until(r#""box-7""#).await;
        assert!(!stream.text.contains("box-8") && !stream.text.contains("command."), "{}", stream.text);
    }
    let (_, own) = cluster.ask_with("POST", "/v1/commands", &key, &body).await;
    let path = format!("/v1/events?last_event_id=0-0&command={}", own["id"].as_str().unwrap());
    EventFollower::open_with(there, &path, &key).await.read_until("event: command.").await;
}

async fn a_key_sends_the_commands_alone_that_it_lists(cluster: Cluster) {
    let [_seven, _eight] = shops(&cluster).await;
    let key = limited("k", &[], &["show", "ring"]);
    let body = |name: &str| json!({ "target": { "all": true }, "name": name }).to_string();
    let (code, problem) = cluster.ask_with("POST", "/v1/commands", &key, &body("wipe")).await;
    assert!(code == 403 && problem["detail"].as_str().unwrap().contains("ring, show"), "{problem}");
    assert_eq!(status(&cluster, &key, "POST", "/v1/commands", &body("show")).await, 202);
    let (_, wipe) = cluster.ask("POST", "/v1/commands", &body("wipe")).await;
    let path = format!("/v1/commands/{}", wipe["id"].as_str().unwrap());
    assert_eq!(status(&cluster, &key, "GET", &path, "").await, 200);
    assert_eq!(status(&cluster, &key, "DELETE", &path, "").await, 403);
    assert_eq!(status(&cluster, &key, "GET", "/v1/fleet", "").await, 200);
}

async fn a_key_of_one_shop_uses_saved_selectors_within_its_reach(cluster: Cluster) {
    let [mut seven, mut eight] = shops(&cluster).await;
    let key = limited("k", &[("shop", "7")], &[]);
    assert_eq!(cluster.ask("PUT", "/v1/selectors/shops", r#"{"match":"shop = 8 or shop = 7"}"#).await.0, 200);
    let (_, page) = cluster.ask_with("GET", "/v1/terminals?match=@saved(shops)", &key, "").await;
    assert_eq!(ids(&page, "terminals"), ["box-7"]);
    let body = json!({ "target": { "match": "@saved(shops)" }, "name": "show" }).to_string();
    let (code, command) = cluster.ask_with("POST", "/v1/commands", &key, &body).await;
    assert_eq!((code, &command["targets"]), (202, &json!(1)), "{command}");
    let id = seven.command().await.id.to_string();
    assert!(command["id"] == id && eight.is_quiet());
    let (_, shown) = cluster.ask_with("GET", &format!("/v1/commands/{id}"), &key, "").await;
    assert_eq!(shown["target"], json!({ "match": "(shop = 8 or shop = 7) and shop = 7" }));
}

async fn a_key_of_one_shop_does_nothing_to_the_whole_fleet(cluster: Cluster) {
    let key = limited("k", &[("shop", "7")], &[]);
    for (method, path) in [
        ("GET", "/v1/fleet"),
        ("GET", "/v1/fleet/history"),
        ("GET", "/v1/nodes"),
        ("POST", "/v1/nodes/rebalance"),
        ("GET", "/v1/audit"),
        ("GET", "/v1/revocations"),
        ("POST", "/v1/revocations"),
        ("POST", "/v1/enrolments"),
        ("GET", "/v1/selectors"),
        ("PUT", "/v1/selectors/bj"),
    ] {
        let (code, problem) = cluster.ask_with(method, path, &key, r#"{"kid":"k1"}"#).await;
        assert!(code == 403 && problem["detail"].as_str().unwrap().contains("shop=7"), "{method} {path}: {problem}");
    }
}

async fn two_limited_keys_of_one_name_share_no_idempotency_key(cluster: Cluster) {
    let [_seven, _eight] = shops(&cluster).await;
    let body = json!({ "target": { "all": true }, "name": "show" }).to_string();
    let send = async |id: &str, shop: &str| {
        let header = format!("Idempotency-Key: one\r\n{}", limited(id, &[("shop", shop)], &[]));
        cluster.ask_with("POST", "/v1/commands", &header, &body).await.1["id"].clone()
    };
    let first = send("a", "7").await;
    assert_eq!(send("a", "7").await, first);
    assert_ne!(send("b", "8").await, first);
}
