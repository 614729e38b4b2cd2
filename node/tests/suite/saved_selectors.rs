//! Selectors that are saved under a name: what stands in their place, and for how long.

use form_urlencoded::byte_serialize;
use muster_protocol::{
    api::Protocol::V1,
    frame::{Condition, FromTerminal, Health},
};
use muster_testkit::{OnlineTerminal, follower::EventFollower, http::get};
use serde_json::{Value, json};

use crate::cluster::Cluster;

crate::on_both!(
    a_saved_selector_is_listed_until_it_is_removed,
    a_saved_selector_stands_for_what_it_says,
    what_was_accepted_stays_with_what_was_saved_then,
    a_name_that_can_t_stand_in_an_expression_is_refused_with_its_place,
    no_more_than_128_selectors_are_saved
);

/// `a` in bj here, and `b` in sh there.
async fn sites(cluster: &Cluster) -> [OnlineTerminal; 2] {
    let a = cluster.here().terminal("a", V1, &[("site", "bj")]).await;
    [a, cluster.there().terminal("b", V1, &[("site", "sh")]).await]
}

async fn save(cluster: &Cluster, name: &str, text: &str) -> (u16, Value) {
    let body = json!({ "match": text }).to_string();
    cluster.ask("PUT", &format!("/v1/selectors/{name}"), &body).await
}

fn path(text: &str) -> String {
    format!("/v1/terminals?match={}", byte_serialize(text.as_bytes()).collect::<String>())
}

/// The ids of the terminals that an expression picks, as the other node says.
async fn listed(cluster: &Cluster, text: &str) -> String {
    let (status, page) = get(cluster.there().address, &path(text)).await;
    assert_eq!(status, 200, "{text}: {page}");
    page["terminals"].as_array().unwrap().iter().map(|view| view["id"].as_str().unwrap()).collect()
}

async fn a_saved_selector_is_listed_until_it_is_removed(cluster: Cluster) {
    assert_eq!(save(&cluster, "bj", "site = nowhere").await.0, 200);
    let (status, saved) = save(&cluster, "bj", "site ^= bj").await;
    assert_eq!((status, &saved["name"], &saved["match"]), (200, &json!("bj"), &json!("site ^= bj")), "{saved}");
    assert_eq!(cluster.get("/v1/selectors/bj").await, saved);
    assert_eq!(save(&cluster, "ab", "@id = a").await.0, 200);
    for (query, names, next) in
        [("", &["ab", "bj"][..], Value::Null), ("?limit=1", &["ab"], json!("ab")), ("?after=ab", &["bj"], Value::Null)]
    {
        let page = cluster.get(&format!("/v1/selectors{query}")).await;
        let selectors = page["selectors"].as_array().unwrap();
        let listed: Vec<_> = selectors.iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!((&listed[..], &page["next"]), (names, &next), "{query}");
    }
    for query in ["?limit=0", "?after=a%20b"] {
        assert_eq!(cluster.ask("GET", &format!("/v1/selectors{query}"), "").await.0, 400, "{query}");
    }
    let remove = async || cluster.ask("DELETE", "/v1/selectors/bj", "").await.0;
    assert_eq!((remove().await, remove().await, cluster.ask("GET", "/v1/selectors/bj", "").await.0), (200, 404, 404));
}

async fn a_saved_selector_stands_for_what_it_says(cluster: Cluster) {
    let [mut a, _b] = sites(&cluster).await;
    assert_eq!(save(&cluster, "bj", "site = bj or site = tj").await.0, 200);
    for (text, expected) in [
        ("@saved(bj)", "a"),
        ("not @saved(bj)", "b"),
        ("@saved(bj) and site = sh", ""),
        (r#"@saved( "bj" ) or @id = b"#, "ab"),
    ] {
        assert_eq!(listed(&cluster, text).await, expected, "{text}");
    }
    let (status, command) = cluster.there().command(r#"{"match":"@saved(bj) and site exists"}"#, "1").await;
    assert_eq!((status, &command["targets"]), (202, &json!(1)), "{command}");
    assert_eq!(a.payload().await, "1");
    let shown = cluster.get(&format!("/v1/commands/{}", command["id"].as_str().unwrap())).await;
    assert_eq!(shown["target"], json!({ "match": "(site = bj or site = tj) and site exists" }));
}

async fn what_was_accepted_stays_with_what_was_saved_then(cluster: Cluster) {
    let [a, b] = sites(&cluster).await;
    assert_eq!(save(&cluster, "mine", "site = bj").await.0, 200);
    let command = json!({ "target": { "match": "@saved(mine)" }, "name": "show" }).to_string();
    let send = async || cluster.ask_with("POST", "/v1/commands", "Idempotency-Key: k-1\r\n", &command).await.1;
    let sent = send().await;
    let rollout = r#"{"target":{"match":"@saved(mine)"},"command":{"name":"show"},"waves":[{"rest":true}]}"#;
    let (status, rollout) = cluster.ask("POST", "/v1/rollouts", rollout).await;
    assert_eq!(status, 201, "{rollout}");
    let told = |query: &str| format!("/v1/events?kind=terminal.health{query}");
    let mut stream = EventFollower::open(cluster.there().address, &told("&match=@saved(mine)"), None).await;
    let mut all = EventFollower::open(cluster.there().address, &told(""), None).await;

    assert_eq!(save(&cluster, "mine", "site = sh").await.0, 200);
    assert_eq!(listed(&cluster, "@saved(mine)").await, "b");
    assert_eq!(send().await["id"], sent["id"]);
    assert_eq!(cluster.ask("DELETE", "/v1/selectors/mine", "").await.0, 200);
    for (path, target) in [("commands", "/target"), ("rollouts", "/request/target")] {
        let id = if path == "commands" { &sent["id"] } else { &rollout["id"] };
        let shown = cluster.get(&format!("/v1/{path}/{}", id.as_str().unwrap())).await;
        assert_eq!(shown.pointer(target), Some(&json!({ "match": "site = bj" })), "{shown}");
    }
    let degraded = || FromTerminal::Health(Health { condition: Condition::Degraded, metrics: Default::default() });
    b.terminal.send(degraded()).await.unwrap();
    all.read_until(r#""terminal":"b""#).await;
    a.terminal.send(degraded()).await.unwrap();
    stream.read_until(r#""terminal":"a""#).await;
    assert!(!stream.text.contains(r#""terminal":"b""#), "{}", stream.text);
}

async fn a_name_that_can_t_stand_in_an_expression_is_refused_with_its_place(cluster: Cluster) {
    let refused = async |method: &str, path: &str, body: &str| {
        let (status, refused) = cluster.ask(method, path, body).await;
        assert_eq!(status, 400, "{method} {path} {body}: {refused}");
        refused["detail"].as_str().unwrap().to_owned()
    };
    let unsaved = "match: at character 15: no selector is saved as none; GET /v1/selectors lists them";
    let text = "site = bj and @saved(none)";
    assert_eq!(refused("GET", &path(text), "").await, unsaved);
    assert_eq!(refused("GET", &path(text).replace("terminals", "events"), "").await, unsaved);
    let command = json!({ "target": { "match": text }, "name": "show" }).to_string();
    assert_eq!(refused("POST", "/v1/commands", &command).await, unsaved);
    assert_eq!(refused("POST", "/v1/commands?dry_run=1", &command).await, unsaved);
    let rollout = json!({ "target": { "match": text }, "command": { "name": "show" }, "waves": [{ "rest": true }] });
    assert_eq!(refused("POST", "/v1/rollouts", &rollout.to_string()).await, unsaved);

    let put = async |name: &str, text: &str| {
        refused("PUT", &format!("/v1/selectors/{name}"), &json!({ "match": text }).to_string()).await
    };
    let nested = "match: at character 14: a saved selector can't name another one";
    assert_eq!(put("again", "site = bj or @saved(again)").await, nested);
    assert!(put("x", "site").await.contains("match: at character 5: expected"));
    assert!(put("a%20b", "site = bj").await.contains("the name of a selector"));

    assert_eq!(save(&cluster, "long", &vec!["a = 1"; 40].join(" or ")).await.0, 200);
    let too_large = refused("GET", &path("@saved(long) or @saved(long)"), "").await;
    assert!(too_large.contains("64 terms") && !too_large.contains("at character"), "{too_large}");
    assert_eq!(save(&cluster, "online", "@status = online").await.0, 200);
    assert!(refused("GET", "/v1/events?match=@saved(online)", "").await.contains("labels and @id"));
}

async fn no_more_than_128_selectors_are_saved(cluster: Cluster) {
    for number in 0..128 {
        assert_eq!(save(&cluster, &format!("s{number}"), "a = b").await.0, 200);
    }
    let (status, refused) = save(&cluster, "one-more", "a = b").await;
    assert!(status == 503 && refused["detail"].as_str().unwrap().contains("128 selectors are saved"), "{refused}");
    assert_eq!(save(&cluster, "s1", "a = c").await.0, 200);
    assert_eq!(cluster.ask("DELETE", "/v1/selectors/s1", "").await.0, 200);
    assert_eq!(save(&cluster, "one-more", "a = b").await.0, 200);
}
