//! A node, alone or with a Redis.

use std::net::SocketAddr;

use async_trait::async_trait;
use muster_testkit::TestRedis;

use super::{NODE, NODE_REDIS, NODE_REDIS_V1, NODE_TRACKED, NODE_V1};
use crate::{
    servers::{
        dialect::{Dialect, PLAIN, Turn, handshake, nothing},
        knock,
        node::{BenchNode, Tracking},
        process,
        server::Server,
    },
    stage::Subject,
};

/// Flags of each node of the table: what is done is forgotten soon, so that rounds are alike.
pub const FLAGS: [&str; 2] = ["--keep", "1s"];
/// The longest text in which an id stands: a UUID.
const ID: usize = 36;

/// Terminals of `muster.v1` that confirm nothing.
pub const V1: Dialect = Dialect { request: v1_handshake, begin: &[Turn::Say(HELLO), Turn::Hear], answer: nothing };
/// Terminals of `muster.v1` that acknowledge each command.
pub const V1_ACKING: Dialect = Dialect { answer: ack, ..V1 };
const HELLO: &str = r#"{"type":"hello","sdk":"bench"}"#;

fn v1_handshake(number: usize) -> String {
    handshake(number).replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: muster.v1\r\n\r\n")
}

/// The acknowledgement of a command's frame.
fn ack(frame: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(frame).expect("a frame is text");
    let (_, id) = text.split_once(r#""id":""#).filter(|_| text.contains(r#""type":"command""#))?;
    Some(format!(r#"{{"type":"ack","id":"{}"}}"#, id.get(..ID)?))
}

/// A node.
pub struct NodeSubject {
    column: &'static str,
    dialect: Dialect,
    tracking: Tracking,
    with_redis: bool,
}

impl NodeSubject {
    /// The nodes of the table.
    pub fn all() -> [Self; 5] {
        let subject = |column, dialect, tracking, with_redis| Self { column, dialect, tracking, with_redis };
        [
            subject(NODE, PLAIN, Tracking::Sent, false),
            subject(NODE_V1, V1, Tracking::Off, false),
            subject(NODE_TRACKED, V1_ACKING, Tracking::Acked, false),
            subject(NODE_REDIS, PLAIN, Tracking::Sent, true),
            subject(NODE_REDIS_V1, V1_ACKING, Tracking::Acked, true),
        ]
    }

    /// The node alone, with plain terminals.
    pub fn plain() -> Self {
        let [plain, ..] = Self::all();
        plain
    }
}

#[async_trait(?Send)]
impl Subject for NodeSubject {
    fn column(&self) -> &str {
        self.column
    }

    fn dialect(&self) -> Dialect {
        self.dialect
    }

    async fn start(&self, _terminals: usize) -> Box<dyn Server> {
        if !self.with_redis {
            return Box::new(BenchNode::start(process::NODE, &FLAGS).tracking(self.tracking));
        }
        let redis = TestRedis::start().await;
        let flags = [FLAGS.as_slice(), &["--redis", &redis.url]].concat();
        let node = BenchNode::start(process::NODE, &flags).tracking(self.tracking);
        node.ready().await;
        Box::new(StoredNode { node, _redis: redis })
    }
}

/// A node and its Redis. CPU and memory are the node's.
struct StoredNode {
    node: BenchNode,
    _redis: TestRedis,
}

#[async_trait(?Send)]
impl Server for StoredNode {
    fn address(&self) -> SocketAddr {
        self.node.address()
    }

    fn processes(&self) -> Vec<u32> {
        self.node.processes()
    }

    async fn broadcast(&mut self, payload: &str, times: usize) {
        self.node.broadcast(payload, times).await;
    }

    async fn confirmed(&mut self, terminals: usize) {
        self.node.confirmed(terminals).await;
    }
}

/// A node that verifies tokens, without terminals.
pub struct VerifyingNode;

#[async_trait(?Send)]
impl Subject for VerifyingNode {
    fn column(&self) -> &str {
        NODE
    }

    fn dialect(&self) -> Dialect {
        PLAIN
    }

    async fn start(&self, _terminals: usize) -> Box<dyn Server> {
        Box::new(knock::verifying_node(process::NODE))
    }
}
