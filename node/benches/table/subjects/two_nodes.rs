//! Two nodes that share a Redis: one takes commands, and the other has the terminal.

use std::net::SocketAddr;

use async_trait::async_trait;
use muster_testkit::{TestRedis, http};
use tokio::task::JoinSet;

use super::node::{FLAGS, V1};
use crate::{
    servers::{dialect::Dialect, node::BenchNode, process, server::Server},
    stage::Subject,
};

/// Commands that may wait for the terminal. It acknowledges none, so each waits until it expires.
const BACKLOG: &str = "100000";
/// The id of the terminal, which is number 0 of its crowd.
const TERMINAL: &str = "bench-0000000000";

/// Two nodes.
pub struct TwoNodes;

#[async_trait(?Send)]
impl Subject for TwoNodes {
    fn column(&self) -> &str {
        "two nodes + Redis"
    }

    fn dialect(&self) -> Dialect {
        V1
    }

    async fn start(&self, _terminals: usize) -> Box<dyn Server> {
        let redis = TestRedis::start().await;
        let flags = [FLAGS.as_slice(), &["--redis", &redis.url, "--backlog", BACKLOG]].concat();
        let nodes = [BenchNode::start(process::NODE, &flags), BenchNode::start(process::NODE, &flags)];
        for node in &nodes {
            node.ready().await;
        }
        Box::new(TwoServers { nodes, _redis: redis })
    }
}

struct TwoServers {
    nodes: [BenchNode; 2],
    _redis: TestRedis,
}

#[async_trait(?Send)]
impl Server for TwoServers {
    fn address(&self) -> SocketAddr {
        self.nodes[1].address()
    }

    fn processes(&self) -> Vec<u32> {
        self.nodes.iter().flat_map(BenchNode::processes).collect()
    }

    /// Commands to the one terminal, each by a request of its own to the other node.
    async fn broadcast(&mut self, payload: &str, times: usize) {
        let target = format!(r#"{{"terminal":"{TERMINAL}"}}"#);
        let body =
            format!(r#"{{"target":{target},"name":"bench","payload":"{payload}","expires_in":"5s","confirm":"none"}}"#);
        let (address, mut posts) = (self.nodes[0].address(), JoinSet::new());
        for _ in 0..times {
            let body = body.clone();
            posts.spawn(async move { http::post(address, "/v1/commands", &body).await });
        }
        for (status, answer) in posts.join_all().await {
            assert_eq!(status, 202, "{answer}");
        }
    }
}
