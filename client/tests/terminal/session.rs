//! What is sent and received within a session.

use crate::fake_node::{FakeNode, command, config, id, start, welcome};
use futures_util::{SinkExt, StreamExt};
use muster_client::{Config, ConnectionEnd, Incoming, SendError};
use muster_protocol::{
    Payload,
    api::Protocol,
    frame::{Ack, Command, Event, FromNode, FromTerminal, Gap, Health, Hello, NotRun, ResultFrame},
    selector::Labels,
};
use muster_testkit::wait::soon;
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

#[tokio::test]
async fn the_first_frame_is_a_hello_with_the_labels() {
    let node = FakeNode::bind().await;
    let labels = Labels::from([("site".to_owned(), "bj".to_owned())]);
    let token = Some("eyJ.x.y".parse().unwrap());
    let (_terminal, mut reports) =
        start(Config { labels: labels.clone(), token, ..config([format!("{}?a=1", node.url())]) });
    let (mut peer, request) = node.upgrade().await;
    assert_eq!(request.uri(), "/ws?a=1&terminal_id=t1");
    assert_eq!(request.headers()["Authorization"], "Bearer eyJ.x.y");
    assert_eq!(request.headers()["Sec-WebSocket-Protocol"], "muster.v1");
    let FromTerminal::Hello(Hello { sdk, labels: told, resume, .. }) = peer.receive().await else { panic!("no hello") };
    assert_eq!((sdk.starts_with("muster-client/"), told, resume), (true, labels, None));
    peer.send(welcome()).await;
    assert!(matches!(soon(reports.recv()).await, Some(Incoming::Online { welcome: Some(_), .. })));
}

#[tokio::test]
async fn a_repeated_command_is_handed_over_once_and_acknowledged_each_time() {
    let node = FakeNode::bind().await;
    let (_terminal, mut reports) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(reports.recv()).await;
    for _ in 0..2 {
        peer.send(FromNode::Command(command(1, None))).await;
        assert_eq!(peer.receive().await, FromTerminal::Ack(Ack { id: id(1) }));
    }
    assert!(matches!(soon(reports.recv()).await, Some(Incoming::Command { command, .. }) if command.id == id(1)));
    assert_eq!(soon(reports.recv()).await, Some(Incoming::Repeated(id(1))));
}

#[tokio::test]
async fn the_commands_seen_and_the_cursor_outlive_a_session() {
    let node = FakeNode::bind().await;
    let (_terminal, mut reports) = start(config([node.url()]));
    let mut first = node.welcome().await;
    first.send(FromNode::Command(command(1, Some("c1")))).await;
    first.receive().await;
    first.close(4003, "").await;
    let (mut second, _) = node.upgrade().await;
    assert!(matches!(second.receive().await, FromTerminal::Hello(hello) if hello.resume.as_deref() == Some("c1")));
    second.send(welcome()).await;
    second.send(FromNode::Command(command(1, Some("c1")))).await;
    assert_eq!(second.receive().await, FromTerminal::Ack(Ack { id: id(1) }));
    let mut repeated = false;
    while !repeated {
        repeated = soon(reports.recv()).await == Some(Incoming::Repeated(id(1)));
    }
}

#[tokio::test]
async fn a_command_that_ran_before_a_restart_is_answered_with_its_old_result() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Some(folder.path().join("memory"));
    let node = FakeNode::bind().await;
    let (terminal, mut reports) = start(Config { memory: memory.clone(), ..config([node.url()]) });
    let mut peer = node.welcome().await;
    soon(reports.recv()).await;
    peer.send(FromNode::Command(command(1, None))).await;
    assert_eq!(peer.receive().await, FromTerminal::Ack(Ack { id: id(1) }));
    terminal.result(id(1), true, Payload::from_bytes(&[0, 255])).await.unwrap();
    let result = peer.receive().await;
    // As a power cut would: nothing is closed.
    terminal.kill().await;
    let (_terminal, mut reports) = start(Config { memory, ..config([node.url()]) });
    let mut peer = node.welcome().await;
    assert!(matches!(&result, FromTerminal::Result(result) if result.ok && result.payload.is_bytes()), "{result:?}");
    assert_eq!(peer.receive().await, result, "it may have been lost");
    peer.send(FromNode::Command(command(1, None))).await;
    let again = [peer.receive().await, peer.receive().await];
    assert_eq!(again, [FromTerminal::Ack(Ack { id: id(1) }), result]);
    soon(reports.recv()).await;
    assert_eq!(soon(reports.recv()).await, Some(Incoming::Repeated(id(1))));
}

#[tokio::test]
async fn a_program_can_acknowledge_by_itself() {
    let node = FakeNode::bind().await;
    let (terminal, mut reports) = start(Config { acknowledge: false, ..config([node.url()]) });
    let mut peer = node.welcome().await;
    soon(reports.recv()).await;
    peer.send(FromNode::Command(command(1, None))).await;
    soon(reports.recv()).await;
    let health = FromTerminal::Health(Health { condition: Default::default(), metrics: Default::default() });
    terminal.send(health.clone()).await.unwrap();
    assert_eq!(peer.receive().await, health, "an ack came before");
    assert_eq!(terminal.send_text("bare").await, Err(SendError::OtherProtocol));
}

#[tokio::test]
async fn an_unknown_frame_is_ignored_and_a_gap_is_reported() {
    let node = FakeNode::bind().await;
    let (_terminal, mut reports) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(reports.recv()).await;
    peer.socket.send(Message::text(r#"{"type":"dance"}"#)).await.unwrap();
    let gap = Gap { from: "c1".into(), to: "c9".into(), reason: "trimmed".into() };
    peer.send(FromNode::Gap(gap.clone())).await;
    assert_eq!(soon(reports.recv()).await, Some(Incoming::Gap(gap)));
}

#[tokio::test]
async fn plain_mode_carries_texts_both_ways() {
    let node = FakeNode::bind().await;
    let (terminal, mut reports) = start(Config { protocol: Protocol::Plain, ..config([node.url()]) });
    let (mut peer, request) = node.upgrade().await;
    assert!(!request.headers().contains_key("Sec-WebSocket-Protocol"));
    assert!(matches!(soon(reports.recv()).await, Some(Incoming::Online { welcome: None, .. })));
    peer.socket.send(Message::text("turn left")).await.unwrap();
    assert!(matches!(soon(reports.recv()).await, Some(Incoming::Text { text, .. }) if text == "turn left"));
    terminal.send_text("turned").await.unwrap();
    assert_eq!(peer.receive_message().await, Message::text("turned"));
}

#[tokio::test]
async fn closing_sends_what_is_queued_and_closes_with_1000() {
    let node = FakeNode::bind().await;
    let (terminal, mut reports) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(reports.recv()).await;
    let last = FromTerminal::Event(Event { id: None, name: "bye".into(), payload: Default::default() });
    terminal.send(last.clone()).await.unwrap();
    let leaving = tokio::spawn(terminal.close());
    assert_eq!(peer.receive().await, last);
    let Message::Close(Some(frame)) = peer.receive_message().await else { panic!("no close") };
    assert_eq!(frame.code, CloseCode::Normal);
    drop(peer);
    soon(leaving).await.unwrap();
    assert_eq!(soon(reports.recv()).await, Some(Incoming::Gone(ConnectionEnd::Left)));
}

#[tokio::test]
async fn a_killed_terminal_sends_no_close_and_reports_nothing() {
    let node = FakeNode::bind().await;
    let (terminal, mut reports) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(reports.recv()).await;
    terminal.kill().await;
    assert!(matches!(soon(peer.socket.next()).await, Some(Err(_)) | None), "no close frame");
    assert_eq!(soon(reports.recv()).await, None);
}

#[tokio::test]
async fn an_expired_command_is_not_run_and_the_node_is_told() {
    let node = FakeNode::bind().await;
    let (_terminal, mut reports) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(reports.recv()).await;
    // Expired by the clock of the node, which is years ahead of this one.
    let late = Command { expires_at: "2029-12-31T23:59:59Z".parse().unwrap(), ..command(1, None) };
    peer.send(FromNode::Command(late)).await;
    assert!(matches!(peer.receive().await, FromTerminal::Result(ResultFrame { reason: Some(NotRun::Expired), .. })));
    assert_eq!(soon(reports.recv()).await, Some(Incoming::Expired(id(1))));
}

#[tokio::test]
async fn a_staggered_command_outlives_its_session_and_is_acknowledged_when_it_is_handed_over() {
    let node = FakeNode::bind().await;
    let (_terminal, mut reports) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(reports.recv()).await;
    let staggered = || FromNode::Command(Command { stagger_ms: Some(400), ..command(1, Some("c1")) });
    peer.send(staggered()).await;
    peer.send(FromNode::Command(command(2, Some("c2")))).await;
    let (mut first, mut run) = (peer.receive().await, Vec::new());
    if first == FromTerminal::Ack(Ack { id: id(1) }) {
        first = peer.receive().await;
    }
    assert_eq!(first, FromTerminal::Ack(Ack { id: id(2) }));
    peer.close(4003, "").await;
    let (mut peer, _) = node.upgrade().await;
    assert!(matches!(peer.receive().await, FromTerminal::Hello(_)));
    peer.send(welcome()).await;
    // A node sends again what was not acknowledged.
    peer.send(staggered()).await;
    assert_eq!(peer.receive().await, FromTerminal::Ack(Ack { id: id(1) }));
    while run.len() < 2 {
        if let Some(Incoming::Command { command, .. }) = soon(reports.recv()).await {
            run.push(command.id);
        }
    }
    run.sort();
    assert_eq!(run, [id(1), id(2)]);
}

#[tokio::test]
async fn a_result_that_may_have_been_lost_is_sent_again() {
    let node = FakeNode::bind().await;
    let (terminal, mut reports) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(reports.recv()).await;
    terminal.result(id(1), true, Default::default()).await.unwrap();
    let sent = peer.receive().await;
    peer.close(4003, "").await;
    assert_eq!(node.welcome().await.receive().await, sent);
}
