//! A shard whose thread stands still.

use std::net::SocketAddr;

use muster_client::Incoming;
use muster_protocol::api::Protocol::V1;
use muster_testkit::{
    FrozenThread, OnlineTerminal,
    http::{post, request},
    wait::until,
};

use crate::program::{Program, shortage, until_ready, until_unready};

/// More commands than wait in the mailbox of a shard (1,024).
const MANY: u64 = 1100;

/// Sends so many commands to all, each of which reaches this terminal at once.
async fn send_many(address: SocketAddr, terminal: &mut OnlineTerminal) {
    for number in 0..MANY {
        let body = format!(r#"{{"target":{{"all":true}},"name":"show","payload":{number}}}"#);
        assert_eq!(post(address, "/v1/commands", &body).await.0, 202);
        assert_eq!(terminal.payload().await, number.to_string());
    }
}

#[tokio::test]
async fn more_commands_than_a_frozen_shard_takes_reach_the_others_at_once_and_its_own_sessions_later() {
    let node = Program::start(&["--insecure", "--shards", "2"]);
    let address = node.ready().await;
    let mut on_first = OnlineTerminal::start(address, "t0", V1, &[]).await;
    let mut on_second = OnlineTerminal::start(address, "t1", V1, &[]).await;
    let frozen = FrozenThread::of(&node.0.process, "shard-0");
    send_many(address, &mut on_second).await;
    drop(frozen);
    for number in 0..MANY {
        assert_eq!(on_first.payload().await, number.to_string());
    }
    assert!(on_first.is_quiet() && on_second.is_quiet());
}

#[tokio::test]
async fn a_session_that_a_frozen_shard_has_to_end_holds_up_nobody_and_ends_later() {
    let node = Program::start(&["--insecure", "--shards", "2"]);
    let address = node.ready().await;
    let mut on_first = OnlineTerminal::start(address, "t0", V1, &[]).await;
    let mut on_second = OnlineTerminal::start(address, "t1", V1, &[]).await;
    let frozen = FrozenThread::of(&node.0.process, "shard-0");
    send_many(address, &mut on_second).await;
    let (status, ..) = request(address, "DELETE /v1/terminals/t0/session HTTP/1.1\r\n").await;
    assert_eq!(status, 202);
    // The mailbox of the frozen shard is full: what comes behind the end must not wait for it.
    assert_eq!(
        post(address, "/v1/commands", r#"{"target":{"terminal":"t1"},"name":"show","payload":"next"}"#).await.0,
        202
    );
    assert_eq!(on_second.payload().await, r#""next""#);
    drop(frozen);
    let mut next = 0;
    let mut has_ended = false;
    while next < MANY || !has_ended {
        match on_first.next().await {
            Incoming::Command { command, .. } => {
                assert_eq!(command.payload.as_json(), next.to_string());
                next += 1;
            }
            Incoming::Offline { .. } => has_ended = true,
            Incoming::Online { .. } | Incoming::Repeated(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_frozen_shard_is_told_and_the_other_takes_the_new_sessions() {
    let node = Program::start(&["--insecure", "--shards", "2"]);
    let address = node.ready().await;
    let command = async |target: &str, payload: &str| {
        let body = format!(r#"{{"target":{target},"name":"show","payload":{payload}}}"#);
        assert_eq!(post(address, "/v1/commands", &body).await.0, 202);
    };
    // Connections go to the shards in turn.
    let mut on_first = OnlineTerminal::start(address, "t0", V1, &[]).await;
    let mut on_second = OnlineTerminal::start(address, "t1", V1, &[]).await;
    let frozen = FrozenThread::of(&node.0.process, "shard-0");
    until_unready(address, "shard 0 of 2 does not answer").await;
    assert_eq!(shortage(address, "shards").await.as_deref(), Some("1"));
    command(r#"{"terminal":"t1"}"#, "1").await;
    assert_eq!(on_second.payload().await, "1");
    let mut new = Vec::new();
    for id in ["t2", "t3", "t4"] {
        new.push(OnlineTerminal::start(address, id, V1, &[]).await);
    }
    assert!(on_first.is_quiet());
    command(r#"{"all":true}"#, "2").await;
    drop(frozen);
    until_ready(address).await;
    for terminal in new.iter_mut().chain([&mut on_first, &mut on_second]) {
        assert_eq!(terminal.payload().await, "2");
    }
    until("the metric follows", async || shortage(address, "shards").await.as_deref() == Some("0")).await;
}
