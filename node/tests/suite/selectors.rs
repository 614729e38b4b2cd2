//! Selectors in words: whom they pick, in lists and for commands, and how a bad one is refused.

use form_urlencoded::byte_serialize;
use muster_protocol::{
    api::Protocol::{Plain, V1},
    frame::{Condition, FromTerminal, Health},
};
use muster_testkit::{OnlineTerminal, wait::until};
use serde_json::{Value, json};

use crate::cluster::Cluster;

crate::on_both!(
    an_expression_picks_the_same_in_a_list_and_for_a_command,
    an_expression_goes_by_what_a_terminal_is_now,
    a_command_goes_to_whom_its_expression_picks,
    a_bad_expression_is_refused_with_its_place
);

/// `a` and `e` here and `b` there with `muster.v1`, `c` a plain one, and `d`, which is offline.
async fn fleet(cluster: &Cluster) -> Vec<OnlineTerminal> {
    let a = [("site", "bj"), ("version", "1.9"), ("kind", "big kiosk")];
    let d = cluster.there().terminal("d", V1, &[("site", "bj")]).await;
    let online = vec![
        cluster.here().terminal("a", V1, &a).await,
        cluster.there().terminal("b", V1, &[("site", "bj-2"), ("version", "1.10-rc.1")]).await,
        cluster.here().terminal("c", Plain, &[]).await,
        cluster.here().terminal("e", V1, &[]).await,
    ];
    let labels = r#"{"site":"sh","version":"1.10"}"#;
    assert_eq!(cluster.ask("PUT", "/v1/terminals/c/labels", labels).await.0, 200);
    let health = Health { condition: Condition::Degraded, metrics: Default::default() };
    online[3].terminal.send(FromTerminal::Health(health)).await.unwrap();
    d.terminal.close().await;
    until("d is offline and e degraded", async || {
        let fleet = cluster.get("/v1/fleet").await;
        fleet["offline"] == 1 && fleet["by_condition"]["degraded"] == 1
    })
    .await;
    online
}

fn path(text: &str) -> String {
    format!("/v1/terminals?match={}", byte_serialize(text.as_bytes()).collect::<String>())
}

/// The ids of the terminals that an expression picks.
async fn listed(cluster: &Cluster, text: &str) -> String {
    let page = cluster.get(&path(text)).await;
    page["terminals"].as_array().unwrap().iter().map(|view| view["id"].as_str().unwrap()).collect()
}

/// What a command for them would reach.
async fn counted(cluster: &Cluster, text: &str) -> Value {
    let body = json!({ "target": { "match": text }, "name": "show" }).to_string();
    let (status, counted) = cluster.ask("POST", "/v1/commands?dry_run=1", &body).await;
    assert_eq!(status, 200, "{text}: {counted}");
    counted
}

async fn an_expression_picks_the_same_in_a_list_and_for_a_command(cluster: Cluster) {
    let _online = fleet(&cluster).await;
    for (text, expected) in [
        ("site = bj", "ad"),
        ("site ^= bj", "abd"),
        ("site in (sh, bj-2)", "bc"),
        ("site != bj", "bce"),
        ("not site exists", "e"),
        (r#"kind = "big kiosk""#, "a"),
        ("version < 1.10", "ab"),
        ("version >= 1.10-rc.1", "bc"),
        ("version <= 1.9.0", "a"),
        ("version > 1.9 and version < 2", "bc"),
        ("site < 9 or floor ^= x", ""),
        ("@status = offline", "d"),
        ("@status in (online, stale)", "abce"),
        ("@status != offline and @condition != ok", "e"),
        ("@condition = degraded", "e"),
        ("@condition in (ok, failing)", "abcd"),
        ("@protocol = plain", "c"),
        ("@protocol = v1", "abde"),
        ("@node exists", "abce"),
        ("@node = nobody", ""),
        ("@id in (a, nobody)", "a"),
        ("@id ^= a or @id ^= b", "ab"),
        ("@id != a", "bcde"),
        ("(site = bj or site = sh) and not (version < 1.10 or @status = offline)", "c"),
        ("site = bj and version exists or @id = e", "ae"),
    ] {
        assert_eq!(listed(&cluster, text).await, expected, "{text}");
        let online = expected.chars().filter(|id| *id != 'd').count();
        assert_eq!(counted(&cluster, text).await, json!({ "targets": expected.len(), "online": online }), "{text}");
    }
    let here = cluster.get("/v1/terminals/a").await["node"].as_str().unwrap().to_owned();
    let on_it = if cluster.len() == 1 { "abce" } else { "ace" };
    assert_eq!(listed(&cluster, &format!("@node = {here}")).await, on_it);
}

async fn an_expression_goes_by_what_a_terminal_is_now(cluster: Cluster) {
    let mut online = fleet(&cluster).await;
    assert_eq!(cluster.ask("PUT", "/v1/terminals/b/labels", r#"{"version":"1.11"}"#).await.0, 200);
    assert_eq!(listed(&cluster, "version < 1.10").await, "a");
    assert_eq!(cluster.ask("PUT", "/v1/terminals/a/labels", r#"{"site":"tj"}"#).await.0, 200);
    assert_eq!((listed(&cluster, "site ^= bj").await, listed(&cluster, "site = tj").await), ("bd".into(), "a".into()));
    online.remove(2).terminal.close().await;
    let _c = cluster.there().terminal("c", V1, &[]).await;
    assert_eq!(listed(&cluster, "@protocol = plain").await, "");
    let f = cluster.here().terminal("f", Plain, &[]).await;
    assert_eq!(listed(&cluster, "@protocol = plain").await, "f");
    f.terminal.close().await;
    assert_eq!(cluster.ask("DELETE", "/v1/terminals/f", "").await.0, 200);
    assert_eq!((listed(&cluster, "@protocol = plain").await, listed(&cluster, "@id ^= f").await), Default::default());
}

async fn a_command_goes_to_whom_its_expression_picks(cluster: Cluster) {
    let mut online = fleet(&cluster).await;
    let target = json!({ "match": "version<2 and not @protocol=plain" });
    let (status, command) = cluster.here().command(&target.to_string(), "1").await;
    assert_eq!((status, &command["targets"]), (202, &json!(2)), "{command}");
    let shown = cluster.get(&format!("/v1/commands/{}", command["id"].as_str().unwrap())).await;
    assert_eq!(shown["target"], target);
    assert_eq!((online[0].payload().await, online[1].payload().await), ("1".into(), "1".into()));
    let nobody = cluster.here().command(r#"{"match":"site = nowhere"}"#, "2").await;
    assert_eq!(nobody.0, 409, "{}", nobody.1);
    // Had the first one reached them, it would come before this one.
    assert_eq!(cluster.here().command(r#"{"match":"@id in (c, e)"}"#, "3").await.1["targets"], 2);
    assert_eq!((online[2].payload().await, online[3].payload().await), ("3".into(), "3".into()));
}

async fn a_bad_expression_is_refused_with_its_place(cluster: Cluster) {
    let (status, refused) = cluster.ask("GET", &path("site = bj and"), "").await;
    let expected = r#"match: at character 14: expected a key, not, or "(", found the end"#;
    assert_eq!((status, refused["detail"].as_str()), (400, Some(expected)));
    let body = json!({ "target": { "match": "@status = up" }, "name": "show" }).to_string();
    let (status, refused) = cluster.ask("POST", "/v1/commands", &body).await;
    let detail = refused["detail"].as_str().unwrap_or_default();
    let expected = r#"match: at character 11: expected online, stale or offline, found "up""#;
    assert!(status == 400 && detail.contains(expected), "{refused}");
    let events = cluster.ask("GET", "/v1/events?match=@status=online", "").await;
    assert!(events.0 == 400 && events.1["detail"].as_str().unwrap().contains("labels and @id"), "{}", events.1);
}
