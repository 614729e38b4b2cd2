//! What a node answers while a part of the store is away.

use std::time::Duration;

use muster_protocol::api::Protocol::V1;
use muster_testkit::{
    OnlineTerminal,
    http::{get, handshake, head_of_answer, post, request},
    token::{NEVER, SECRET, token},
    wait::until,
};
use serde_json::{Value, json};

use crate::masters::{AWAY, MastersAndNode, PARTITIONS};

/// A terminal in each partition, in the order of partitions.
async fn terminals(cluster: &MastersAndNode) -> Vec<(String, OnlineTerminal)> {
    let mut terminals = Vec::new();
    for partition in 0..PARTITIONS {
        let id = cluster.id_in(partition);
        let terminal = cluster.node.terminal(&id, V1, &[("site", "bj")]).await;
        terminals.push((id, terminal));
    }
    terminals
}

/// Those of them whose partitions are there, in order.
fn present(terminals: &[(String, OnlineTerminal)]) -> Vec<String> {
    let present = terminals.iter().zip(0..).filter(|(_, partition)| !AWAY.contains(partition));
    let mut ids: Vec<_> = present.map(|((id, _), _)| id.clone()).collect();
    ids.sort();
    ids
}

async fn all_pages(cluster: &MastersAndNode, path: &str, list: &str, id: &str) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = cluster.shown(&format!("{path}?limit=1{after}")).await;
        assert_eq!(page["partial"], json!(AWAY), "{page}");
        found.extend(page[list].as_array().unwrap().iter().map(|row| row[id].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_counts_have_what_is_there_and_name_what_is_missing() {
    let cluster = MastersAndNode::start().await;
    let online = terminals(&cluster).await;
    let (status, command) = cluster.node.command(r#"{"all":true}"#, "1").await;
    assert_eq!(status, 202, "{command}");
    let id = command["id"].as_str().unwrap();
    cluster.node.counts(id, 0, 0, 6).await;
    let whole = cluster.shown("/v1/terminals").await;
    assert!(whole.get("partial").is_none() && whole["terminals"].as_array().unwrap().len() == 6, "{whole}");
    cluster.take_away().await;
    assert_eq!(all_pages(&cluster, "/v1/terminals", "terminals", "id").await, present(&online));
    let fleet = cluster.shown("/v1/fleet").await;
    assert_eq!(
        (&fleet["online"], &fleet["by_label"]["site=bj"], &fleet["partial"]),
        (&json!(4), &json!(4), &json!(AWAY))
    );
    let history = cluster.shown("/v1/fleet/history").await;
    let minutes = history["minutes"].as_array().unwrap();
    assert!(!minutes.is_empty() && minutes.iter().all(|minute| minute["missing"] == 2), "{history}");
    assert_eq!(history["partial"], json!(AWAY));
    let home = u16::from_str_radix(&id[id.len() - 3..], 16).unwrap() % 1024;
    let (status, view) = get(cluster.node.address, &format!("/v1/commands/{id}")).await;
    if AWAY.contains(&home) {
        assert_eq!((status, &view["partitions"]), (503, &json!([home])), "{view}");
    } else {
        assert_eq!(
            (&view["targets"], &view["state"], &view["partial"]),
            (&json!(6), &json!("open"), &json!(AWAY)),
            "{view}"
        );
        assert_eq!(view["counts"]["acked"], 4);
        assert_eq!(
            all_pages(&cluster, &format!("/v1/commands/{id}/targets"), "targets", "terminal").await,
            present(&online)
        );
    }
    cluster.bring_back().await;
    let (whole, command) = (cluster.shown("/v1/fleet").await, cluster.shown(&format!("/v1/commands/{id}")).await);
    assert_eq!((&whole["online"], whole.get("partial")), (&json!(6), None), "{whole}");
    assert_eq!((&command["state"], command.get("partial")), (&json!("done"), None), "{command}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_concerns_a_partition_that_is_away_is_refused_by_its_name_and_others_are_not() {
    let cluster = MastersAndNode::start().await;
    let mut online = terminals(&cluster).await;
    cluster.take_away().await;
    let one = |id: &str| json!({ "terminal": id }).to_string();
    let (away, there, also) = (online[2].0.clone(), online[0].0.clone(), online[5].0.clone());
    let (status, refused) = cluster.node.command(&one(&away), "1").await;
    assert_eq!((status, &refused["partitions"]), (503, &json!([2])), "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("partition 2 of the store can't be reached"), "{refused}");
    for target in [r#"{"all":true}"#.to_owned(), r#"{"labels":{"site":"bj"}}"#.into()] {
        let (status, refused) = cluster.node.command(&target, "1").await;
        assert_eq!((status, &refused["partitions"]), (503, &json!(AWAY)), "{target}: {refused}");
    }
    let (status, refused) = cluster.node.command(&json!({ "terminals": [there, away] }).to_string(), "1").await;
    assert_eq!((status, &refused["partitions"]), (503, &json!([2])), "{refused}");
    // Its home is one of the partitions that are concerned, so it is there.
    for round in 0..8 {
        let both = json!({ "terminals": [there, also] }).to_string();
        assert_eq!(cluster.node.command(&both, &round.to_string()).await.0, 202);
        assert_eq!(online[0].1.payload().await, round.to_string());
        assert_eq!(online[5].1.payload().await, round.to_string());
    }
    assert_eq!(cluster.node.command(&one(&there), "9").await.0, 202);
    assert_eq!(online[0].1.payload().await, "9");
    cluster.bring_back().await;
    assert_eq!(cluster.node.command(&one(&away), "10").await.0, 202);
    assert_eq!(online[2].1.payload().await, "10", "of what was refused nothing was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_a_partition_that_is_away_is_let_in_and_registered_later_and_no_other_is_cut() {
    let cluster = MastersAndNode::start().await;
    let mut online = terminals(&cluster).await;
    cluster.take_away().await;
    let late = cluster.id_in(3);
    let mut config = muster_client::Config::new([format!("ws://{}/ws", cluster.node.address)], late.parse().unwrap());
    config.protocol = V1;
    let (tell, mut told) = tokio::sync::mpsc::channel(100);
    let _late = muster_client::Terminal::start(config, tell).unwrap();
    let first = muster_testkit::wait::soon(told.recv()).await.unwrap();
    assert!(matches!(first, muster_client::Incoming::Online { .. }), "{first:?}");
    for (method, path) in [
        ("DELETE", format!("/v1/terminals/{}/session", online[3].0)),
        ("DELETE", format!("/v1/terminals/{}", online[3].0)),
        ("GET", format!("/v1/terminals/{}", online[3].0)),
        ("GET", format!("/v1/terminals/{}/history", online[3].0)),
    ] {
        let (status, _, body) = request(cluster.node.address, &format!("{method} {path} HTTP/1.1\r\n")).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["partitions"]), (503, &json!([3])), "{method} {path}: {body}");
    }
    let labels = format!("PUT /v1/terminals/{}/labels HTTP/1.1\r\nContent-Length: 2\r\n", online[3].0);
    let (status, _, body) = muster_testkit::http::exchange(cluster.node.address, &labels, "{}").await;
    assert!(status == 503 && body.contains("partition 3"), "{body}");
    cluster.bring_back().await;
    until("the terminal is registered", async || {
        get(cluster.node.address, &format!("/v1/terminals/{late}")).await.1["status"] == "online"
    })
    .await;
    let fleet = cluster.shown("/v1/fleet").await;
    assert_eq!(fleet["online"], 7, "{fleet}");
    for (id, terminal) in &mut online {
        assert!(terminal.is_quiet(), "{id} was not cut");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_nodes_and_metrics_tell_how_many_partitions_are_lost() {
    let cluster = MastersAndNode::start().await;
    let counts = async || cluster.shown("/v1/nodes").await["nodes"][0]["partitions"].clone();
    until("all partitions are ok", async || counts().await == json!({ "ok": 6, "lost": 0 })).await;
    cluster.take_away().await;
    until("two are lost", async || counts().await == json!({ "ok": 4, "lost": 2 })).await;
    assert_eq!(cluster.shown("/v1/nodes").await["partial"], json!(AWAY));
    let (_, _, metrics) = request(cluster.node.address, "GET /metrics HTTP/1.1\r\n").await;
    assert!(
        metrics.contains("muster_partitions{state=\"lost\"} 2")
            && metrics.contains("muster_partitions{state=\"ok\"} 4")
    );
    cluster.masters[0].hang();
    cluster.masters[2].hang();
    until("no partition works", async || get(cluster.node.address, "/readyz").await.0 == 503).await;
    let (status, refused) = get(cluster.node.address, "/v1/fleet").await;
    assert_eq!((status, refused["partitions"].as_array().unwrap().len()), (503, 6), "{refused}");
    cluster.masters.iter().for_each(|master| master.go_on());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_partition_that_was_away_come_when_it_is_back() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let cluster = MastersAndNode::start().await;
    let online = terminals(&cluster).await;
    let mut stream = tokio::net::TcpStream::connect(cluster.node.address).await.unwrap();
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    let mut text = String::new();
    let mut read_until = async |what: &str| {
        let read = async {
            let mut buffer = [0; 4096];
            while !text.contains(what) {
                let count = stream.read(&mut buffer).await.unwrap();
                assert!(count > 0, "the stream ended: {text}");
                text.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        };
        tokio::time::timeout(Duration::from_secs(20), read).await.unwrap_or_else(|_| panic!("no {what}: {text}"));
        text.clone()
    };
    read_until("id: ").await;
    cluster.take_away().await;
    read_until("{\"partial\":[2,3]}").await;
    let label = async |id: &str| {
        let (status, _) =
            post(cluster.node.address, "/v1/commands", &format!(r#"{{"target":{{"terminal":"{id}"}},"name":"show"}}"#))
                .await;
        status
    };
    assert_eq!(label(&online[0].0).await, 202);
    let (there, away) = (online.into_iter().nth(4).unwrap(), cluster.id_in(2));
    there.1.terminal.close().await;
    let seen = read_until(&format!("\"terminal\":\"{}\"", there.0)).await;
    let last_id = seen.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap().to_owned();
    assert!(last_id.contains("~") && last_id.ends_with(":2-3"), "{last_id}");
    cluster.bring_back().await;
    read_until("{\"partial\":[]}").await;
    let late = cluster.node.terminal(&away, V1, &[]).await;
    read_until(&format!("\"terminal\":\"{away}\"")).await;
    drop(late);
}

/// The first partition has all revocations.
#[tokio::test(flavor = "multi_thread")]
async fn revocations_hold_while_their_partition_is_away_and_none_can_be_made() {
    let cluster = MastersAndNode::start_with(&["--secret", SECRET]).await;
    let address = cluster.node.address;
    let is_let_in = async |token: &str| {
        let headers = format!("Authorization: Bearer {token}\r\n");
        head_of_answer(address, &handshake("", &headers)).await.starts_with("HTTP/1.1 101 ")
    };
    let (revoked, good) = (token("t1", NEVER), token("t2", NEVER));
    assert_eq!(post(address, "/v1/revocations", r#"{"terminal":"t1"}"#).await.0, 201);
    until("it is applied", async || !is_let_in(&revoked).await).await;
    cluster.masters[0].hang();
    until("the node has noticed", async || {
        request(address, "GET /readyz HTTP/1.1\r\n").await.2.starts_with("ready\ndegraded: [0,1]\n")
    })
    .await;
    let (status, problem) = post(address, "/v1/revocations", r#"{"terminal":"t2"}"#).await;
    assert_eq!((status, &problem["partitions"]), (503, &json!([0])), "{problem}");
    assert_eq!(get(address, "/v1/revocations").await.0, 503);
    assert!(!is_let_in(&revoked).await && is_let_in(&good).await);
    cluster.masters[0].go_on();
    until("one can be made", async || post(address, "/v1/revocations", r#"{"terminal":"t2"}"#).await.0 == 201).await;
    until("it is applied", async || !is_let_in(&good).await).await;
}
