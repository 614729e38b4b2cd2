//! What a node says to the service manager.

use muster_testkit::{TestManager, TestRedis};
use rustix::process::Signal;

use crate::program::{Program, until_ready, until_unready};

#[tokio::test]
async fn the_service_manager_hears_of_start_reload_beats_and_end() {
    let mut manager = TestManager::start();
    let node = Program::start_with(&["--insecure"], |command| manager.supervise(command, 200_000));
    manager.until_said("READY=1\nSTATUS=ready", 1).await;
    manager.until_said("WATCHDOG=1", 3).await;
    node.signal(Signal::HUP);
    manager.until_said("RELOADING=1\nMONOTONIC_USEC=", 1).await;
    manager.until_said("READY=1", 2).await;
    node.signal(Signal::TERM);
    manager.until_said("STOPPING=1", 1).await;
    assert!(node.ends().await.0.success());
}

#[tokio::test]
async fn a_node_is_said_to_be_ready_when_it_is_and_says_why_it_is_not() {
    let (mut manager, redis) = (TestManager::start(), TestRedis::start().await);
    let flags = ["--insecure", "--shards", "1", "--redis", &redis.url];
    let node = Program::start_with(&flags, |command| manager.supervise(command, 0));
    let address = node.ready().await;
    until_ready(address).await;
    manager.until_said("READY=1", 1).await;
    drop(redis);
    until_unready(address, "").await;
    manager.until_said("STATUS=not ready", 1).await;
    assert_eq!((manager.count("READY=1"), manager.count("WATCHDOG=1")), (1, 0));
}
