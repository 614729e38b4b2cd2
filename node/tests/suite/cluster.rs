//! What the tests run on: a node alone, or two nodes that share a Redis with a store of several partitions. In a cluster the second
//! terminal hangs on the other node than the one that is asked.

use muster_testkit::{
    TestNode, TestRedis,
    http::{events, exchange, get},
};
use serde_json::Value;

pub struct Cluster {
    nodes: Vec<TestNode>,
    pub redis: Option<TestRedis>,
}

impl Cluster {
    pub async fn local(flags: &[&str]) -> Self {
        let flags = [&["--insecure"], flags].concat();
        Self { nodes: vec![TestNode::start(&flags).await], redis: None }
    }

    pub async fn redis(flags: &[&str]) -> Self {
        let redis = TestRedis::start().await;
        let flags = [&["--insecure", "--redis", &redis.url, "--partitions", "5"], flags].concat();
        Self { nodes: vec![TestNode::start(&flags).await, TestNode::start(&flags).await], redis: Some(redis) }
    }

    /// Where the operator and the first terminal are.
    pub fn here(&self) -> &TestNode {
        &self.nodes[0]
    }

    /// Where the second terminal is.
    pub fn there(&self) -> &TestNode {
        self.nodes.last().unwrap()
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// `GET path` as JSON, which must be there.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = get(self.here().address, path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Any other request: its status and its answer.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.ask_with(method, path, "", body).await
    }

    /// The same with a further header.
    pub async fn ask_with(&self, method: &str, path: &str, header: &str, body: &str) -> (u16, Value) {
        let head = format!("{method} {path} HTTP/1.1\r\nContent-Length: {}\r\n{header}", body.len());
        let (status, _, body) = exchange(self.here().address, &head, body).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// The stream of all events.
    pub async fn events(&self) -> String {
        events(self.here().address).await
    }
}

/// Runs each of these tests on a node alone, and on a cluster. Flags for the nodes may follow a bar.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),*) => { $crate::on_both!($($name),* | []); };
    ($($name:ident),* | $flags:expr) => {
        mod local { $(#[tokio::test] async fn $name() { super::$name($crate::cluster::Cluster::local(&$flags).await).await; })* }
        mod redis { $(#[tokio::test] async fn $name() { super::$name($crate::cluster::Cluster::redis(&$flags).await).await; })* }
    };
}
