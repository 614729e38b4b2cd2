//! A store that is exported, emptied, and imported with another number of partitions.

use std::path::{Path, PathBuf};

use clap::Parser;
use muster_node::store::{BackupCounts, StoreFlags, export, import};
use muster_protocol::{
    Payload,
    api::Protocol::{self, V1},
    partition::Partitions,
};
use muster_testkit::{
    OnlineTerminal, TestNode, TestRedis,
    http::{exchange, get, post},
    wait::until,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    keys::{post as post_with_key, to_one},
    masters::MastersAndNode,
    store::ids,
};

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    store: StoreFlags,
}

/// A Redis, and a folder for the file.
pub struct BackupTest {
    pub redis: TestRedis,
    folder: TempDir,
}

impl BackupTest {
    pub async fn start() -> Self {
        Self { redis: TestRedis::start().await, folder: tempfile::tempdir().unwrap() }
    }

    /// A node on a store of so many partitions.
    pub async fn node(&self, partitions: &str) -> TestNode {
        TestNode::start(&["--insecure", "--redis", &self.redis.url, "--partitions", partitions]).await
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("backup")
    }

    pub async fn export(&self) -> BackupCounts {
        let _ = std::fs::remove_file(self.file());
        export(flags(&self.redis.url), Some(self.file())).await.unwrap()
    }

    /// Imports the file, or returns the error.
    pub async fn try_import(&self, partitions: u16) -> Result<BackupCounts, String> {
        import_from(&self.redis.url, partitions, &self.file()).await
    }

    /// Exports the store, empties Redis, and imports the store with another number of partitions.
    pub async fn move_to(&self, partitions: u16) -> BackupCounts {
        let exported = self.export().await;
        self.redis.flush().await;
        let imported = self.try_import(partitions).await.unwrap();
        assert_eq!(imported, exported);
        imported
    }
}

pub fn flags(url: &str) -> StoreFlags {
    Flags::parse_from(["store", "--insecure", "--redis", url]).store
}

pub async fn import_from(url: &str, partitions: u16, file: &Path) -> Result<BackupCounts, String> {
    let partitions = Partitions::new(partitions);
    import(flags(url), partitions, file.into()).await.map_err(|error| format!("{error:#}"))
}

/// What the API shows of a command, with all of its targets by their ids.
async fn shown(node: &TestNode, id: &str) -> Value {
    let (status, command) = get(node.address, &format!("/v1/commands/{id}")).await;
    assert_eq!(status, 200, "{command}");
    let (mut targets, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(node.address, &format!("/v1/commands/{id}/targets?limit=500{after}")).await.1;
        targets.extend(page["targets"].as_array().unwrap_or_else(|| panic!("{page}")).iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    targets.sort_by_key(|target| target["terminal"].to_string());
    json!({"command": command, "targets": targets})
}

async fn accepted(node: &TestNode, target: &str, fields: &str) -> String {
    let body = format!(r#"{{"target":{target},"name":"show","expires_in":"1h"{fields}}}"#);
    let (status, answer) = post(node.address, "/v1/commands", &body).await;
    assert_eq!(status, 202, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

async fn online(node: &TestNode, ids: &[String], protocol: Protocol) -> Vec<OnlineTerminal> {
    let mut terminals = Vec::new();
    for id in ids {
        terminals.push(node.terminal(id, protocol, &[("site", "north")]).await);
    }
    terminals
}

async fn close(node: &TestNode, terminals: Vec<OnlineTerminal>) {
    for terminal in terminals {
        terminal.terminal.close().await;
    }
    until("all are offline", async || {
        get(node.address, "/v1/terminals?status=online").await.1["terminals"] == json!([])
    })
    .await;
}

#[tokio::test]
async fn what_the_api_shows_is_the_same_in_a_store_of_more_or_fewer_partitions() {
    let test = BackupTest::start().await;
    let (all, node) = (ids(12), test.node("3").await);
    let mut terminals = online(&node, &all, V1).await;
    let put =
        exchange(node.address, "PUT /v1/terminals/t05/labels HTTP/1.1\r\nContent-Length: 14\r\n", r#"{"site":"sea"}"#);
    assert_eq!(put.await.0, 200);
    let mut commands = vec![
        accepted(&node, r#"{"all":true}"#, r#","confirm":"result","payload":{"n":1}"#).await,
        accepted(
            &node,
            r#"{"terminals":["t00","t01","t02","t03","t04"]}"#,
            r#","confirm":"result","payload_base64":"AP8=""#,
        )
        .await,
        accepted(&node, r#"{"terminal":"t07"}"#, r#","confirm":"ack","payload":{"n":3}"#).await,
    ];
    for (at, terminal) in terminals.iter_mut().enumerate() {
        let (first, ok) = (terminal.command().await.id, at != 4);
        let reply = format!(r#"{{"free":{at}}}"#);
        let reply = if at == 3 { Payload::from_bytes(&[0, 255]) } else { serde_json::from_str(&reply).unwrap() };
        terminal.terminal.result(first, ok, reply).await.unwrap();
    }
    let is_done = async |id: &str| get(node.address, &format!("/v1/commands/{id}")).await.1["state"] == "done";
    until("the first is done", async || is_done(&commands[0]).await).await;
    until("the third is done", async || is_done(&commands[2]).await).await;
    close(&node, terminals).await;
    commands.push(accepted(&node, r#"{"terminals":["t01","t06","t09"]}"#, r#","payload":{"n":4}"#).await);
    commands.push(accepted(&node, r#"{"labels":{"site":"north"}}"#, r#","payload":{"n":5}"#).await);
    commands.push(accepted(&node, r#"{"terminals":["t06","t08"]}"#, r#","payload":{"n":6}"#).await);
    let cancelled = &commands[5];
    let cancel = format!("DELETE /v1/commands/{cancelled} HTTP/1.1\r\n");
    assert_eq!(exchange(node.address, &cancel, "").await.0, 200);
    exchange(node.address, "DELETE /v1/terminals/t09 HTTP/1.1\r\n", "").await;
    // A node that ends writes what it has heard last of terminals.
    node.stop().await;
    let node = test.node("3").await;
    let (mut before, fleet) = (Vec::new(), get(node.address, "/v1/terminals?limit=100").await.1);
    for id in &commands {
        before.push(shown(&node, id).await);
    }
    node.stop().await;

    for partitions in [5, 1, 16] {
        let counts = test.move_to(partitions).await;
        assert_eq!((counts.terminals, counts.commands, counts.keys), (11, 6, 0));
        let node = test.node(&partitions.to_string()).await;
        assert_eq!(get(node.address, "/v1/terminals?limit=100").await.1, fleet);
        for (id, before) in commands.iter().zip(&before) {
            assert_eq!(&shown(&node, id).await, before, "with {partitions} partitions");
        }
        let sea = get(node.address, "/v1/terminals?selector=site=sea").await.1;
        assert_eq!(sea["terminals"].as_array().unwrap().len(), 1, "{sea}");
        let listed = get(node.address, "/v1/commands?limit=100").await.1;
        let listed: Vec<_> =
            listed["commands"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert!(listed.iter().eq(commands.iter().rev()), "newest first");
        node.stop().await;
    }
}

#[tokio::test]
async fn terminals_that_return_get_what_is_open_once_and_in_its_order_and_nothing_else() {
    let test = BackupTest::start().await;
    let (all, node) = (ids(8), test.node("5").await);
    let mut terminals = online(&node, &all, V1).await;
    let done = accepted(&node, r#"{"all":true}"#, r#","payload":"done""#).await;
    for terminal in &mut terminals {
        assert_eq!(terminal.payload().await, r#""done""#);
    }
    until("it is done", async || get(node.address, &format!("/v1/commands/{done}")).await.1["state"] == "done").await;
    close(&node, terminals).await;
    let mut open = Vec::new();
    for number in 0..12 {
        let target = match number % 3 {
            0 => r#"{"all":true}"#,
            1 => r#"{"terminals":["t00","t01","t02","t03","t04","t05","t06","t07"]}"#,
            _ => r#"{"terminal":"t03"}"#,
        };
        open.push(accepted(&node, target, &format!(r#","payload":{number}"#)).await);
    }
    let cancelled = accepted(&node, r#"{"all":true}"#, r#","payload":"cancelled""#).await;
    assert_eq!(exchange(node.address, &format!("DELETE /v1/commands/{cancelled} HTTP/1.1\r\n"), "").await.0, 200);
    let short = r#"{"target":{"terminal":"t03"},"name":"show","payload":"short","expires_in":"1s"}"#;
    let short = post(node.address, "/v1/commands", short).await.1["id"].as_str().unwrap().to_owned();
    node.stop().await;

    test.move_to(3).await;
    let node = test.node("3").await;
    let expires = format!("/v1/commands/{short}");
    until("it has expired", async || get(node.address, &expires).await.1["counts"]["expired"] == 1).await;
    let mut terminals = online(&node, &all, V1).await;
    for (at, terminal) in terminals.iter_mut().enumerate() {
        for number in (0..12).filter(|number| at == 3 || number % 3 != 2) {
            assert_eq!(terminal.payload().await, number.to_string(), "terminal {at}");
        }
    }
    for id in &open {
        until("all have confirmed", async || {
            get(node.address, &format!("/v1/commands/{id}")).await.1["state"] == "done"
        })
        .await;
    }
    let later = accepted(&node, r#"{"all":true}"#, r#","payload":"later""#).await;
    for terminal in &mut terminals {
        assert_eq!(terminal.payload().await, r#""later""#);
        assert!(terminal.is_quiet());
    }
    until("it is done too", async || get(node.address, &format!("/v1/commands/{later}")).await.1["state"] == "done")
        .await;
    assert_eq!(get(node.address, &format!("/v1/commands/{cancelled}")).await.1["state"], "cancelled");
}

#[tokio::test]
async fn a_command_that_was_half_done_is_done_when_the_rest_has_confirmed() {
    let test = BackupTest::start().await;
    let (all, node, three) = (ids(12), test.node("5").await, Partitions::new(3).unwrap());
    let partition = |id: &String| three.of(&id.parse().unwrap());
    let rest = all.iter().find(|id| partition(id) != partition(&all[0])).unwrap();
    node.was_here(rest, V1).await;
    let mut terminals = online(&node, &all[..1], V1).await;
    let target = format!(r#"{{"terminals":["{}","{rest}"]}}"#, all[0]);
    let half = [accepted(&node, &target, "").await, accepted(&node, r#"{"all":true}"#, "").await];
    for _ in &half {
        terminals[0].command().await;
    }
    for id in &half {
        until("one has confirmed", async || {
            get(node.address, &format!("/v1/commands/{id}")).await.1["counts"]["acked"] == 1
        })
        .await;
    }
    close(&node, terminals).await;
    node.stop().await;
    test.move_to(3).await;
    let node = test.node("3").await;
    let _terminals = online(&node, std::slice::from_ref(rest), V1).await;
    until("the list shows both as done", async || {
        let done = get(node.address, "/v1/commands?state=done").await.1;
        done["commands"].as_array().unwrap().len() == half.len()
    })
    .await;
}

#[tokio::test]
async fn a_key_that_was_used_before_the_export_makes_no_second_command() {
    let test = BackupTest::start().await;
    let (all, node) = (ids(10), test.node("3").await);
    let terminals = online(&node, &all, V1).await;
    let mut used = Vec::new();
    for (number, id) in all.iter().enumerate() {
        let (key, body) = (format!("k{number}"), to_one(id, r#","expires_in":"1h""#));
        used.push((key.clone(), body.clone(), post_with_key(&node, &key, &body).await));
    }
    let many = r#"{"target":{"all":true},"name":"show","expires_in":"1h"}"#.to_owned();
    used.push(("many".into(), many.clone(), post_with_key(&node, "many", &many).await));
    let few = r#"{"target":{"terminals":["t00","t01","t02","t03"]},"name":"show","expires_in":"1h"}"#.to_owned();
    used.push(("few".into(), few.clone(), post_with_key(&node, "few", &few).await));
    for (.., first) in &used {
        let done = format!("/v1/commands/{}", first.1["id"].as_str().unwrap());
        until("it is done", async || get(node.address, &done).await.1["state"] == "done").await;
    }
    close(&node, terminals).await;
    node.stop().await;

    for partitions in [7, 2] {
        assert_eq!(test.move_to(partitions).await.keys, 12);
        let node = test.node(&partitions.to_string()).await;
        let mut terminals = online(&node, &all, V1).await;
        for (key, body, first) in &used {
            let again = post_with_key(&node, key, body).await;
            assert_eq!((again.0, &again.1["id"]), (202, &first.1["id"]), "{key} with {partitions}: {}", again.1);
            assert_eq!(again.1["state"], "done", "{key}");
            assert_eq!(post_with_key(&node, key, &to_one("t09", "")).await.0, 422, "{key} for another body");
        }
        let fence = accepted(&node, r#"{"all":true}"#, r#","payload":"fence""#).await;
        for terminal in &mut terminals {
            assert_eq!(terminal.payload().await, r#""fence""#, "nothing ran a second time");
        }
        until("it is done", async || get(node.address, &format!("/v1/commands/{fence}")).await.1["state"] == "done")
            .await;
        close(&node, terminals).await;
        node.stop().await;
    }
}

#[tokio::test]
async fn a_terminal_without_acknowledgements_gets_again_only_what_was_not_sent() {
    let test = BackupTest::start().await;
    let (all, node) = (ids(4), test.node("3").await);
    let mut terminals = online(&node, &all, Protocol::Plain).await;
    for target in [r#"{"all":true}"#, r#"{"terminals":["t00","t01","t02","t03"]}"#] {
        let sent = accepted(&node, target, r#","payload":"sent","confirm":"none""#).await;
        for terminal in &mut terminals {
            assert_eq!(terminal.payload().await, "sent");
        }
        until("it is done", async || get(node.address, &format!("/v1/commands/{sent}")).await.1["state"] == "done")
            .await;
    }
    close(&node, terminals).await;
    accepted(&node, r#"{"all":true}"#, r#","payload":"open""#).await;
    node.stop().await;
    test.move_to(4).await;
    let node = test.node("4").await;
    for terminal in &mut online(&node, &all, Protocol::Plain).await {
        assert_eq!(terminal.payload().await, "open");
        assert!(terminal.is_quiet());
    }
}

#[tokio::test]
async fn an_export_while_nodes_live_lacks_nothing_that_was_accepted_before() {
    let test = BackupTest::start().await;
    let (all, node) = (ids(6), test.node("3").await);
    for id in &all {
        node.was_here(id, V1).await;
    }
    let writing = async {
        let mut written = Vec::new();
        for number in 0..40 {
            let target = format!(r#"{{"terminal":"t{:02}"}}"#, number % 6);
            written.push(accepted(&node, &target, "").await);
            written.push(accepted(&node, r#"{"all":true}"#, "").await);
        }
        written
    };
    let before = [accepted(&node, r#"{"all":true}"#, "").await, accepted(&node, r#"{"terminal":"t01"}"#, "").await];
    let (_, counts) = tokio::join!(writing, test.export());
    assert!((2..=82).contains(&counts.commands), "{counts}");
    node.stop().await;
    test.redis.flush().await;
    test.try_import(8).await.unwrap();
    let node = test.node("8").await;
    for id in &before {
        assert_eq!(get(node.address, &format!("/v1/commands/{id}")).await.0, 200);
    }
    let listed = get(node.address, "/v1/commands?limit=100").await.1;
    for row in listed["commands"].as_array().unwrap() {
        let targets = if row["target"]["all"] == true { 6 } else { 1 };
        assert_eq!(row["targets"], targets, "a command is there whole: {row}");
    }
}

#[tokio::test]
async fn a_redis_cluster_is_exported_and_imported_as_one_redis_is() {
    let cluster = MastersAndNode::start().await;
    let url = format!("redis+cluster://127.0.0.1:{}", cluster.masters[0].port);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup");
    let mut terminals = online(&cluster.node, &ids(9), V1).await;
    let done = accepted(&cluster.node, r#"{"all":true}"#, r#","payload":"done""#).await;
    for terminal in &mut terminals {
        assert_eq!(terminal.payload().await, r#""done""#);
    }
    until("it is done", async || cluster.shown(&format!("/v1/commands/{done}")).await["state"] == "done").await;
    close(&cluster.node, terminals).await;
    let open = accepted(&cluster.node, r#"{"all":true}"#, r#","payload":"open""#).await;
    let (fleet, before) =
        (cluster.shown("/v1/terminals").await, [shown(&cluster.node, &done).await, shown(&cluster.node, &open).await]);
    let MastersAndNode { node, masters, .. } = cluster;
    node.stop().await;
    let exported = export(flags(&url), Some(file.clone())).await.unwrap();
    for master in &masters {
        master.flush().await;
    }
    assert_eq!(import_from(&url, 13, &file).await.unwrap(), exported);
    let node = TestNode::start(&["--insecure", "--redis", &url, "--partitions", "13"]).await;
    assert_eq!(get(node.address, "/v1/terminals").await.1, fleet);
    assert_eq!([shown(&node, &done).await, shown(&node, &open).await], before);
    for terminal in &mut online(&node, &ids(9), V1).await {
        assert_eq!(terminal.payload().await, r#""open""#);
        assert!(terminal.is_quiet());
    }
}
