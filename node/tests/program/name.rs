//! One name is one process: a second one with the same --node-id does not start, one that follows a dead one does, and one that
//! wakes up after its name was taken ends.

use muster_client::Incoming;
use muster_protocol::api::Protocol::V1;
use muster_testkit::{
    OnlineTerminal, TestRedis,
    http::{get, post},
    wait::until,
};
use rustix::process::Signal;

use crate::program::Program;

/// Starts a node named `n`.
fn start(redis: &TestRedis) -> Program {
    Program::start(&["--shards", "1", "--insecure", "--node-id", "n", "--redis", &redis.url])
}

#[tokio::test]
async fn a_second_process_of_one_name_does_not_start_and_says_why() {
    let redis = TestRedis::start().await;
    let first = start(&redis);
    let address = first.ready().await;
    let mut terminal = OnlineTerminal::start(address, "t", V1, &[]).await;
    let (status, error) = start(&redis).ends().await;
    assert!(!status.success() && error.contains("--node-id n") && error.contains(&address.to_string()), "{error}");
    assert_eq!(get(address, "/readyz").await.0, 200);
    post(address, "/v1/commands", r#"{"target":{"all":true},"name":"show","payload":1}"#).await;
    assert_eq!(terminal.payload().await, "1");
}

#[tokio::test]
async fn one_that_was_killed_starts_again_by_itself() {
    let redis = TestRedis::start().await;
    let first = start(&redis);
    first.ready().await;
    first.signal(Signal::KILL);
    let second = start(&redis);
    let address = second.ready().await;
    until("it is ready", async || get(address, "/readyz").await.0 == 200).await;
}

#[tokio::test]
async fn one_that_wakes_up_after_its_name_was_taken_ends_and_delivers_nothing() {
    let redis = TestRedis::start().await;
    let first = start(&redis);
    let mut terminal = OnlineTerminal::start(first.ready().await, "t", V1, &[]).await;
    first.signal(Signal::STOP);
    let second = start(&redis);
    let address = second.ready().await;
    let (status, _) = post(address, "/v1/commands", r#"{"target":{"all":true},"name":"show","payload":1}"#).await;
    assert_eq!(status, 202);
    first.signal(Signal::CONT);
    let (status, error) = first.ends().await;
    assert!(!status.success() && error.contains("--node-id") && error.contains(&address.to_string()), "{error}");
    let told = terminal.next().await;
    assert!(matches!(told, Incoming::Offline { .. }), "{told:?}");
    assert_eq!(get(address, "/readyz").await.0, 200);
}

#[tokio::test]
async fn what_another_process_registered_ends_with_its_lease() {
    let redis = TestRedis::start().await;
    let first = start(&redis);
    let address = first.ready().await;
    first.signal(Signal::STOP);
    redis.end_lease("n").await;
    let second = start(&redis);
    let _left_behind = OnlineTerminal::start(second.ready().await, "t", V1, &[]).await;
    second.signal(Signal::KILL);
    redis.end_lease("n").await;
    first.signal(Signal::CONT);
    until("nobody is shown on a line that is gone", async || {
        get(address, "/v1/terminals/t").await.1["status"] == "offline"
    })
    .await;
}
