//! A session that is asked to register again while it is registering again.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, Selector, TerminalId, api::CommandRequest, frame, partition::PartitionIndex,
};
use muster_testkit::wait::{soon, until};
use tokio::{
    io::AsyncReadExt,
    task::{self, LocalSet},
};
use uuid::Uuid;

use super::test_node;
use crate::{backplane::CommandDraft, wire::EncodedCommand};

/// In bytes: more than the buffers of the connection hold, and less than `--queue`.
const BIG: usize = 384 * 1024;

#[tokio::test]
async fn a_session_that_is_asked_again_while_it_joins_again_takes_live_commands_after_that() {
    LocalSet::new().run_until(asked_again_while_it_joins()).await;
}

async fn asked_again_while_it_joins() {
    let (shared, _mailboxes) = test_node::node(1, 1);
    let shard = test_node::shard(shared.clone());
    let id: TerminalId = "t1".parse().unwrap();
    let mut terminal = test_node::connect(&shard, &id, Some(4096));
    until("the session is in the hub", async || shared.hub.has(&id)).await;

    // A command that the session has missed. The session replays the command, and waits until the terminal has read it.
    shared.backplane.accept(CommandDraft::new(request(&"x".repeat(BIG)), None)).await.unwrap();
    shard.sockets.rejoin(PartitionIndex(0));
    soon(terminal.readable()).await.unwrap();
    pass().await;
    shard.sockets.rejoin(PartitionIndex(0));
    pass().await;

    let mut missed = vec![0; BIG];
    soon(terminal.read_exact(&mut missed)).await.unwrap();
    shard.sockets.broadcast(vec![live()], Vec::new);
    // The live command is not held.
    let received = soon(async {
        let mut received = Vec::new();
        while !received.ends_with(b"live") {
            terminal.read_buf(&mut received).await.unwrap();
        }
    });
    received.await;
}

fn request(payload: &str) -> CommandRequest {
    CommandRequest {
        target: Selector::All,
        name: "show".into(),
        payload: Payload::from_text(payload),
        expires_in: Duration::from_secs(60),
        confirm: Default::default(),
        offline: Default::default(),
        stagger: Duration::ZERO,
        rate: None,
    }
}

/// Returns a command whose number is beyond every number that the session has received.
fn live() -> Arc<EncodedCommand> {
    let (id, name, payload) = (CommandId(Uuid::nil()), "show".into(), Payload::from_text("live"));
    let expires_at = Timestamp::MAX;
    Arc::new(EncodedCommand::new(
        PartitionIndex(0),
        u64::MAX,
        frame::Command { id, name, payload, expires_at, cursor: None, stagger_ms: None },
    ))
}

/// Lets the session go on until it waits.
async fn pass() {
    for _ in 0..10 {
        task::yield_now().await;
    }
}
