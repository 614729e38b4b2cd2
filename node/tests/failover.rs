//! Nodes whose Redis has a replica: it becomes the master, with everything or without the last. Sentinels are played by the test, which
//! so decides when.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use muster_client::Incoming;
use muster_protocol::api::Protocol::V1;
use muster_testkit::{OnlineTerminal, TestNode, TestRedis, http::get, wait::until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const TO_ALL: &str = r#"{"all":true}"#;

/// A Sentinel that answers every query with the master's address that the test set last.
struct Sentinel {
    address: SocketAddr,
    master: Arc<AtomicU16>,
}

impl Sentinel {
    async fn start(master: &TestRedis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sentinel = Self { address: listener.local_addr().unwrap(), master: Arc::new(AtomicU16::new(master.port)) };
        let master = sentinel.master.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let master = master.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                        let asked = String::from_utf8_lossy(&buffer[..length]).into_owned();
                        let _ = stream.write_all(answers(&asked, master.load(Ordering::Relaxed)).as_bytes()).await;
                    }
                });
            }
        });
        sentinel
    }

    fn url(&self) -> String {
        format!("redis+sentinel://{}/any", self.address)
    }

    fn promote(&self, replica: &TestRedis) {
        self.master.store(replica.port, Ordering::Relaxed);
    }
}

/// The answers to all calls in `asked`. In Redis's protocol each call begins with `*` and the number of its words. This
/// Sentinel has no epochs, so nodes follow it only once their master is gone.
fn answers(asked: &str, master: u16) -> String {
    let calls = asked.split('*').skip(1);
    let answer = |call: &str| match call.contains("GET-MASTER-ADDR-BY-NAME") {
        true => format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{master}\r\n", master.to_string().len()),
        false => "+OK\r\n".to_owned(),
    };
    calls.map(answer).collect()
}

async fn tell(redis: &TestRedis, words: &[&str]) -> redis::Value {
    redis.ask(words).await.unwrap()
}

/// A replica that has everything.
async fn replica_of(master: &TestRedis) -> TestRedis {
    let replica = TestRedis::start().await;
    tell(master, &["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).await;
    tell(&replica, &["REPLICAOF", "127.0.0.1", &master.port.to_string()]).await;
    has_everything(&replica, master).await;
    replica
}

async fn has_everything(replica: &TestRedis, master: &TestRedis) {
    // Another one each time: an older one may be there still.
    let last = jiff::Timestamp::now().as_nanosecond().to_string();
    tell(master, &["SET", "written", &last]).await;
    until("the replica has everything", async || {
        tell(replica, &["GET", "written"]).await == tell(master, &["GET", "written"]).await
    })
    .await;
    tell(master, &["DEL", "written"]).await;
}

/// Returns everything that a terminal receives, up to a command with this payload.
async fn told_until(terminal: &mut OnlineTerminal, last: &str) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        let one = match terminal.next().await {
            Incoming::Command { command, .. } => command.payload.as_json().to_owned(),
            Incoming::Gap(gap) => format!("gap: {}", gap.reason),
            Incoming::Repeated(_) => continue,
            other => panic!("{other:?}"),
        };
        told.push(one);
        if told.last().is_some_and(|one| one == last) {
            return told;
        }
    }
}

/// Two nodes and a terminal on each, before and after a failover to a replica that has everything, or lacks the command `2`.
async fn fail_over(lacking: bool) -> [Vec<String>; 2] {
    let master = TestRedis::start().await;
    let replica = replica_of(&master).await;
    let sentinel = Sentinel::start(&master).await;
    let url = sentinel.url();
    let flags = ["--insecure", "--redis", &url];
    let nodes = [TestNode::start(&flags).await, TestNode::start(&flags).await];
    let [mut one, mut other] = [nodes[0].terminal("one", V1, &[]).await, nodes[1].terminal("other", V1, &[]).await];
    assert_eq!(nodes[0].command(TO_ALL, "1").await.0, 202);
    has_everything(&replica, &master).await;
    if lacking {
        tell(&replica, &["REPLICAOF", "NO", "ONE"]).await;
    }
    let (_, command) = nodes[0].command(TO_ALL, "2").await;
    nodes[0].counts(command["id"].as_str().unwrap(), 0, 0, 2).await;
    if !lacking {
        has_everything(&replica, &master).await;
        tell(&replica, &["REPLICAOF", "NO", "ONE"]).await;
    }
    sentinel.promote(&replica);
    drop(master);
    let known = format!("/v1/commands/{}", command["id"].as_str().unwrap());
    until("the nodes are at the other", async || {
        let (one, other) = (get(nodes[0].address, "/readyz").await.0, get(nodes[1].address, "/readyz").await.0);
        (one, other, get(nodes[1].address, &known).await.0) == (200, 200, if lacking { 404 } else { 200 })
    })
    .await;
    until("3 is accepted", async || nodes[1].command(TO_ALL, "3").await.0 == 202).await;
    [told_until(&mut one, "3").await, told_until(&mut other, "3").await]
}

#[tokio::test]
async fn a_replica_that_has_everything_is_followed_and_nothing_is_told() {
    for told in fail_over(false).await {
        assert_eq!(told, ["1", "2", "3"]);
    }
}

#[tokio::test]
async fn a_replica_that_lacks_the_last_is_followed_and_terminals_are_told_of_a_gap() {
    for told in fail_over(true).await {
        assert_eq!(told, ["1", "2", "gap: the store was lost", "3"]);
    }
}

/// A process that was stopped gave its lease back, and another has its name; the new master lacks both.
#[tokio::test]
async fn a_lease_that_was_given_back_unheard_takes_no_name_away() {
    let master = TestRedis::start().await;
    let replica = replica_of(&master).await;
    let sentinel = Sentinel::start(&master).await;
    let url = sentinel.url();
    let flags = ["--insecure", "--node-id", "n", "--redis", &url];
    let before = TestNode::start(&flags).await;
    has_everything(&replica, &master).await;
    tell(&replica, &["REPLICAOF", "NO", "ONE"]).await;
    before.stop().await;
    let node = TestNode::start(&flags).await;
    let mut terminal = node.terminal("one", V1, &[]).await;
    sentinel.promote(&replica);
    drop(master);
    until("it knows that it has no lease", async || get(node.address, "/readyz").await.0 == 503).await;
    until("it has its name again", async || get(node.address, "/readyz").await.0 == 200).await;
    until("the terminal is registered again", async || get(node.address, "/v1/terminals/one").await.0 == 200).await;
    assert_eq!(node.command(TO_ALL, "1").await.0, 202);
    assert_eq!(told_until(&mut terminal, "1").await.last().unwrap(), "1");
}

/// For a while there are two masters, each with one of the nodes: what the first accepted is lost, and the second has gone on.
#[tokio::test]
async fn what_one_node_alone_has_seen_is_missed_in_a_store_that_went_on_without_it() {
    let master = TestRedis::start().await;
    let replica = replica_of(&master).await;
    let sentinels = [Sentinel::start(&master).await, Sentinel::start(&master).await];
    let start = async |url: String| TestNode::start(&["--insecure", "--redis", &url]).await;
    let (here, there) = (start(sentinels[0].url()).await, start(sentinels[1].url()).await);
    let (mut one, mut other) = (here.terminal("one", V1, &[]).await, there.terminal("other", V1, &[]).await);
    assert_eq!(here.command(TO_ALL, "1").await.0, 202);
    assert_eq!([told_until(&mut one, "1").await, told_until(&mut other, "1").await], [["1"], ["1"]]);
    has_everything(&replica, &master).await;
    tell(&replica, &["REPLICAOF", "NO", "ONE"]).await;
    sentinels[1].promote(&replica);
    for kind in ["pubsub", "normal"] {
        tell(&master, &["CLIENT", "KILL", "TYPE", kind]).await;
    }
    until("2 is accepted by the first", async || here.command(TO_ALL, "2").await.0 == 202).await;
    until("3 is accepted by the second", async || there.command(TO_ALL, "3").await.0 == 202).await;
    assert_eq!([told_until(&mut one, "2").await, told_until(&mut other, "3").await], [["2"], ["3"]]);
    sentinels[0].promote(&replica);
    drop(master);
    for terminal in [&mut one, &mut other] {
        let gap = told_until(terminal, "gap: the store was lost").await;
        assert!(gap.len() <= 2 && !gap.contains(&"2".to_owned()), "{gap:?}");
    }
    until("4 is accepted", async || here.command(TO_ALL, "4").await.0 == 202).await;
    assert_eq!(told_until(&mut other, "4").await, ["4"]);
}
