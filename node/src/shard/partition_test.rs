//! The sessions of two partitions on one shard: what happens in one partition does not concern the sessions of the
//! other.

use std::{rc::Rc, sync::Arc, time::Duration};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, TerminalId, frame,
    partition::{PartitionIndex, Partitions},
};
use muster_testkit::wait::{soon, until};
use tokio::{io::AsyncReadExt, net::TcpStream, task::LocalSet};
use uuid::Uuid;

use super::{Inbox, Shard, ShardMessage, Shared, carry_out, test_node};
use crate::{
    fence::BootInstant,
    sync::{mpsc, oneshot},
    wire::EncodedCommand,
};

const FIRST: PartitionIndex = PartitionIndex(0);
const SECOND: PartitionIndex = PartitionIndex(1);

/// A shard that holds one plain terminal of each of two partitions.
struct TwoPartitions {
    shard: Rc<Shard>,
    first: TcpStream,
    second: TcpStream,
    _mailboxes: Vec<mpsc::Receiver<ShardMessage>>,
}

impl TwoPartitions {
    async fn start() -> Self {
        let (shared, _mailboxes) = test_node::node_in(Partitions::new(2).unwrap(), 1, 1);
        let shard = test_node::shard(shared);
        let [first, second] =
            [FIRST, SECOND].map(|partition| test_node::connect(&shard, &terminal_of(&shard.shared, partition), None));
        let two = Self { shard, first, second, _mailboxes };
        two.until_joined().await;
        two
    }

    fn carry_out(&self, messages: Vec<ShardMessage>) {
        carry_out(&self.shard, &mut Inbox::of(messages));
    }

    /// Waits until both sessions take live commands.
    async fn until_joined(&self) {
        let held = || self.shard.sockets.held(FIRST) + self.shard.sockets.held(SECOND);
        until("no session is held", async || self.shard.shared.hub.len() == 2 && held() == 0).await;
    }

    /// Reads until the terminal of each partition has received `last`. Returns the texts that each received.
    async fn received(&mut self, last: &str) -> [Vec<String>; 2] {
        [read_until(&mut self.first, last).await, read_until(&mut self.second, last).await]
    }
}

fn terminal_of(shared: &Shared, partition: PartitionIndex) -> TerminalId {
    let ids = (0..).map(|number| format!("t{number}").parse().unwrap());
    ids.into_iter().find(|id| shared.fences.partitions().of(id) == partition).unwrap()
}

/// Returns the texts that arrive up to `last`. No text here is longer than 125 bytes, so each frame has a head of two
/// bytes.
async fn read_until(stream: &mut TcpStream, last: &str) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.last().is_none_or(|text| text != last) {
        let mut head = [0; 2];
        soon(stream.read_exact(&mut head)).await.unwrap();
        let mut text = vec![0; usize::from(head[1])];
        stream.read_exact(&mut text).await.unwrap();
        texts.push(String::from_utf8(text).unwrap());
    }
    texts
}

fn broadcast(partition: PartitionIndex, number: u64, text: &str) -> ShardMessage {
    let command = frame::Command {
        id: CommandId(Uuid::nil()),
        name: "show".into(),
        payload: Payload::from_text(text),
        expires_at: Timestamp::MAX,
        cursor: None,
        stagger_ms: None,
    };
    ShardMessage::Broadcast(Arc::new(EncodedCommand::new(partition, number, command)))
}

/// The numbers from which the commands of each partition count here. Both are beyond every number that the memory
/// backplane gives. All numbers of the second partition are below those of the first.
const BASE: [u64; 2] = [u64::MAX / 2, u64::MAX / 4];

#[tokio::test]
async fn a_broadcast_reaches_its_own_partition_in_order_whatever_the_numbers_of_the_other_are() {
    LocalSet::new()
        .run_until(async {
            let mut two = TwoPartitions::start().await;
            two.carry_out(vec![
                broadcast(FIRST, BASE[0] + 1, "a1"),
                broadcast(SECOND, BASE[1] + 1, "b1"),
                broadcast(FIRST, BASE[0] + 2, "a2"),
                broadcast(SECOND, BASE[1] + 2, "b2"),
            ]);
            two.carry_out(vec![broadcast(FIRST, BASE[0] + 3, "end"), broadcast(SECOND, BASE[1] + 3, "end")]);
            assert_eq!(two.received("end").await, [["a1", "a2", "end"], ["b1", "b2", "end"]]);
        })
        .await;
}

#[tokio::test]
async fn the_expired_fence_of_one_partition_drops_only_its_own_commands_until_its_sessions_were_asked() {
    LocalSet::new()
        .run_until(async {
            let mut two = TwoPartitions::start().await;
            let fence = two.shard.shared.fences.of(FIRST).clone();
            fence.extend(BootInstant::now(), Duration::ZERO);
            two.carry_out(vec![broadcast(FIRST, BASE[0] + 1, "dropped"), broadcast(SECOND, BASE[1] + 1, "b1")]);
            fence.extend(BootInstant::now(), Duration::from_secs(60));
            two.carry_out(vec![broadcast(FIRST, BASE[0] + 2, "dropped too"), broadcast(SECOND, BASE[1] + 2, "b2")]);
            let asked = oneshot::channel();
            two.carry_out(vec![ShardMessage::Rejoin(FIRST, asked.0)]);
            asked.1.await.unwrap();
            assert_eq!([FIRST, SECOND].map(|index| two.shard.sockets.held(index)), [1, 0]);
            two.until_joined().await;
            two.carry_out(vec![broadcast(FIRST, BASE[0] + 3, "end"), broadcast(SECOND, BASE[1] + 3, "end")]);
            assert_eq!(two.received("end").await, [vec!["end"], vec!["b1", "b2", "end"]]);
        })
        .await;
}
