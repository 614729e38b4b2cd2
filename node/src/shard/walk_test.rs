//! A broadcast over more sockets than one slice has, and another broadcast that joins it under way.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use jiff::Timestamp;
use muster_protocol::{CommandId, Payload, frame, partition::PartitionIndex};
use muster_testkit::wait::{soon, until};
use tokio::{io::AsyncReadExt, net::TcpStream, task::LocalSet};
use uuid::Uuid;

use super::{Shard, test_node};
use crate::wire::EncodedCommand;

/// One slice and a part of a second.
const TERMINALS: usize = 300;
const PARTITION: PartitionIndex = PartitionIndex(0);
/// A number beyond every number that the memory backplane gives.
const BASE: u64 = u64::MAX / 2;

/// Returns a shard with plain terminals that take live commands, and their ends of the connections.
async fn crowd() -> (Rc<Shard>, Vec<TcpStream>) {
    let shard = test_node::shard(test_node::node(1, 1).0);
    let connect = |number| test_node::connect(&shard, &format!("t{number}").parse().unwrap(), None);
    let streams = (0..TERMINALS).map(connect).collect();
    let joined = async || shard.shared.hub.len() == TERMINALS && shard.sockets.held(PARTITION) == 0;
    until("every terminal takes live commands", joined).await;
    shard.shared.reports.drain();
    (shard, streams)
}

fn command(number: u64, text: &str) -> Arc<EncodedCommand> {
    let command = frame::Command {
        id: CommandId(Uuid::from_u128(number.into())),
        name: "show".into(),
        payload: Payload::from_text(text),
        expires_at: Timestamp::MAX,
        cursor: None,
        stagger_ms: None,
    };
    Arc::new(EncodedCommand::new(PARTITION, BASE + number, command))
}

/// Returns the next bytes of a stream.
async fn receive(stream: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut received = vec![0; bytes];
    soon(stream.read_exact(&mut received)).await.unwrap();
    received
}

/// Returns the number of terminals that each command was reported as sent to.
fn sent(shard: &Shard) -> HashMap<CommandId, usize> {
    let batch = shard.shared.reports.drain();
    let mut sent = HashMap::new();
    for (step, terminals) in batch.all_states() {
        *sent.entry(step.command).or_default() += terminals.len();
    }
    sent
}

#[tokio::test]
async fn what_arrives_during_a_walk_joins_it_and_reaches_everyone_once_and_in_order() {
    let test = async {
        let (shard, mut streams) = crowd().await;
        // The second command arrives before the second slice is written to, and the third after it.
        let mut arriving = vec![vec![command(3, "c")], vec![command(2, "b")]];
        let mut asked = 0;
        shard.sockets.broadcast(vec![command(1, "a")], || {
            asked += 1;
            arriving.pop().unwrap_or_default()
        });
        assert_eq!(asked, 2, "once after each slice, and not in the second round");
        for stream in &mut streams {
            assert_eq!(receive(stream, 9).await, *b"\x81\x01a\x81\x01b\x81\x01c");
        }
        let all = [1, 2, 3].map(|number| (command(number, "").command, TERMINALS));
        assert_eq!(sent(&shard), HashMap::from(all));
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn a_socket_that_is_held_is_not_reported_and_receives_what_it_is_for_once_it_is_released() {
    let test = async {
        let (shard, mut streams) = crowd().await;
        shard.sockets.rejoin_one(shard.shared.hub.addr(&"t270".parse().unwrap()).unwrap());
        let mut arriving = vec![command(2, "b")];
        shard.sockets.broadcast(vec![command(1, "a")], || std::mem::take(&mut arriving));
        let all = [1, 2].map(|number| (command(number, "").command, TERMINALS - 1));
        assert_eq!(sent(&shard), HashMap::from(all));
        assert_eq!(receive(&mut streams[270], 6).await, *b"\x81\x01a\x81\x01b");
        let one = [1, 2].map(|number| (command(number, "").command, 1));
        assert_eq!(sent(&shard), HashMap::from(one));
    };
    LocalSet::new().run_until(test).await;
}
