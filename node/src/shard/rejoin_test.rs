//! A session that is asked to register again while it does so.

use std::{
    net::{TcpListener, TcpStream as StdStream},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, Selector, TerminalId,
    api::{CommandRequest, Protocol},
    frame,
    partition::PartitionIndex,
};
use muster_testkit::wait::{soon, until};
use socket2::SockRef;
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    task::{self, LocalSet},
};
use uuid::Uuid;

use super::{Shard, Upgraded, test_node};
use crate::{backplane::CommandDraft, session, wire::EncodedCommand};

/// In bytes: more than the buffers of the connection hold, and less than `--queue`.
const BIG: usize = 384 * 1024;

#[tokio::test]
async fn a_session_that_is_asked_again_while_it_joins_again_takes_live_commands_after_that() {
    LocalSet::new().run_until(asked_again_while_it_joins()).await;
}

async fn asked_again_while_it_joins() {
    let (shared, _mailboxes) = test_node::node(1, 1);
    let shard = Rc::new(Shard::new(0, shared.clone()));
    let (mut terminal, stream) = connection();
    let id: TerminalId = "t1".parse().unwrap();
    task::spawn_local(session::run(upgraded(stream, &id), shard.clone()));
    until("the session is in the hub", async || shared.hub.has(&id)).await;

    // A command that passed the session by. The session replays it and waits until the terminal has read it.
    shared.backplane.accept(CommandDraft::new(request(&"x".repeat(BIG)), None)).await.unwrap();
    shard.sockets.rejoin(PartitionIndex(0));
    soon(terminal.readable()).await.unwrap();
    pass().await;
    shard.sockets.rejoin(PartitionIndex(0));
    pass().await;

    let mut missed = vec![0; BIG];
    soon(terminal.read_exact(&mut missed)).await.unwrap();
    shard.sockets.broadcast(&[live()]);
    // The live command is not held.
    let received = soon(async {
        let mut received = Vec::new();
        while !received.ends_with(b"live") {
            terminal.read_buf(&mut received).await.unwrap();
        }
    });
    received.await;
}

/// A connection with small buffers: the terminal's end, and the node's.
fn connection() -> (TcpStream, StdStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
    let node = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    SockRef::from(&node).set_send_buffer_size(4096).unwrap();
    let (terminal, _) = listener.accept().unwrap();
    for stream in [&node, &terminal] {
        stream.set_nonblocking(true).unwrap();
    }
    (TcpStream::from_std(terminal).unwrap(), node)
}

fn upgraded(stream: StdStream, terminal: &TerminalId) -> Box<Upgraded> {
    Box::new(Upgraded {
        stream,
        read: Default::default(),
        terminal: terminal.clone(),
        protocol: Protocol::Plain,
        labels: Default::default(),
        expires: None,
        address: "127.0.0.1".into(),
        edge: None,
    })
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

/// A command beyond all that the session has received.
fn live() -> Arc<EncodedCommand> {
    let (id, name, payload) = (CommandId(Uuid::nil()), "show".into(), Payload::from_text("live"));
    let expires_at = Timestamp::MAX;
    Arc::new(EncodedCommand::new(
        PartitionIndex(0),
        u64::MAX,
        frame::Command { id, name, payload, expires_at, cursor: None, stagger_ms: None },
    ))
}

/// Lets the session's task go on until it waits.
async fn pass() {
    for _ in 0..10 {
        task::yield_now().await;
    }
}
