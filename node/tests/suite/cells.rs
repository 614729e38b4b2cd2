//! The cells of a command: one character a target.

use muster_protocol::{Payload, api::Protocol::V1};
use muster_testkit::{http::exchange, wait::until};
use serde_json::{Value, json};

use crate::{cluster::Cluster, limited::limited};

crate::on_both!(
    each_target_has_its_letter_in_the_order_of_targets,
    cells_that_did_not_change_are_not_sent_again,
    a_key_sees_the_cells_of_its_commands_alone | ["--secret", muster_testkit::token::SECRET]
);

/// The terminals lie in several partitions.
const ALL: [&str; 6] = ["t0", "t1", "t2", "t3", "t4", "t5"];

/// Sends a command whose targets report a result. Returns the path of the command.
async fn send(cluster: &Cluster, target: &Value) -> String {
    let body = json!({ "target": target, "name": "show", "confirm": "result" }).to_string();
    let (status, command) = cluster.ask("POST", "/v1/commands", &body).await;
    assert_eq!(status, 202, "{command}");
    format!("/v1/commands/{}", command["id"].as_str().unwrap())
}

/// The letters that the states on the pages of targets make.
async fn letters(cluster: &Cluster, path: &str) -> String {
    let (mut letters, mut after) = (String::new(), String::new());
    loop {
        let page = cluster.get(&format!("{path}/targets?limit=2{after}")).await;
        for target in page["targets"].as_array().unwrap() {
            letters.push_str(match target["state"].as_str().unwrap() {
                "queued" => "q",
                "acked" => "a",
                "succeeded" => "S",
                "failed" => "F",
                "cancelled" => "C",
                other => panic!("{other}"),
            });
        }
        let Some(next) = page["next"].as_str() else { return letters };
        after = format!("&after={next}");
    }
}

async fn each_target_has_its_letter_in_the_order_of_targets(cluster: Cluster) {
    let mut online = Vec::new();
    for (at, id) in ALL.into_iter().enumerate() {
        match at {
            0..3 => online.push(cluster.there().terminal(id, V1, &[]).await),
            _ => cluster.here().was_here(id, V1).await,
        }
    }
    let path = send(&cluster, &json!({ "all": true })).await;
    for (at, terminal) in online.iter_mut().enumerate() {
        let id = terminal.command().await.id;
        if at > 0 {
            terminal.terminal.result(id, at == 1, Payload::from_text("ready")).await.unwrap();
        }
    }
    let sorted = |cells: &str| {
        let mut letters: Vec<_> = cells.chars().collect();
        letters.sort_unstable();
        letters.into_iter().collect::<String>()
    };
    let cells = async || cluster.get(&format!("{path}/cells")).await;
    until("all have reported", async || sorted(cells().await["cells"].as_str().unwrap()) == "FSaqqq").await;
    let shown = cells().await;
    assert_eq!(shown, json!({ "cells": letters(&cluster, &path).await, "targets": 6 }));
    assert_eq!(cluster.ask("DELETE", &path, "").await.0, 200);
    let shown = cells().await;
    assert_eq!(sorted(shown["cells"].as_str().unwrap()), "CCCFSa");
    assert_eq!(shown["cells"], json!(letters(&cluster, &path).await));
}

async fn cells_that_did_not_change_are_not_sent_again(cluster: Cluster) {
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    cluster.here().was_here("off", V1).await;
    let path = format!("{}/cells", send(&cluster, &json!({ "terminals": ["far", "off"] })).await);
    let ask = async |tag: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nIf-None-Match: {tag}\r\n");
        let (status, head, body) = exchange(cluster.here().address, &head, "").await;
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap_or_default().to_owned();
        let cells = serde_json::from_str::<Value>(&body).unwrap_or_default()["cells"].clone();
        (status, tag, cells.as_str().unwrap_or_default().to_owned())
    };
    let id = far.command().await.id;
    until("it is acknowledged", async || ask("").await.2.contains('a')).await;
    let (status, tag, _) = ask("").await;
    assert_eq!((status, ask(&tag).await), (200, (304, tag.clone(), String::new())));
    far.terminal.result(id, true, Payload::from_text("ready")).await.unwrap();
    until("the result is shown", async || ask(&tag).await.0 == 200).await;
    let (_, later, cells) = ask(&tag).await;
    assert!(later != tag && cells.contains('S') && cells.contains('q'), "{cells}");
}

async fn a_key_sees_the_cells_of_its_commands_alone(cluster: Cluster) {
    let _seven = cluster.here().terminal("box-7", V1, &[("shop", "7")]).await;
    let _eight = cluster.there().terminal("box-8", V1, &[("shop", "8")]).await;
    let key = limited("k", &[("shop", "7")], &[]);
    let own = send(&cluster, &json!({ "labels": { "shop": "7" } })).await;
    let other = send(&cluster, &json!({ "all": true })).await;
    assert_eq!(cluster.ask_with("GET", &format!("{own}/cells"), &key, "").await.0, 200);
    assert_eq!(cluster.ask_with("GET", &format!("{other}/cells"), &key, "").await.0, 404);
    assert_eq!(cluster.ask("GET", &format!("{own}/cells?limit=1"), "").await.0, 400);
    assert_eq!(cluster.ask("GET", "/v1/commands/0198c0de-0000-7000-8000-000000000001/cells", "").await.0, 404);
}
