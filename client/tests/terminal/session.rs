//! What is said within a session.

use crate::script::{Node, command, config, id, soon, start, welcome};
use futures_util::{SinkExt, StreamExt};
use muster_client::{Config, ConnectionEnd, Incoming, SendError};
use muster_protocol::{
    api::Protocol,
    frame::{Ack, Command, Event, FromNode, FromTerminal, Gap, Health, Hello, NotRun, ResultFrame},
    selector::Labels,
};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

#[tokio::test]
async fn hello_comes_first_and_says_who_connects() {
    let node = Node::bind().await;
    let labels = Labels::from([("site".to_owned(), "bj".to_owned())]);
    let token = Some("eyJ.x.y".parse().unwrap());
    let (_terminal, mut news) =
        start(Config { labels: labels.clone(), token, ..config([format!("{}?a=1", node.url())]) });
    let (mut peer, request) = node.upgrade().await;
    assert_eq!(request.uri(), "/ws?a=1&terminal_id=t1");
    assert_eq!(request.headers()["Authorization"], "Bearer eyJ.x.y");
    assert_eq!(request.headers()["Sec-WebSocket-Protocol"], "muster.v1");
    let FromTerminal::Hello(Hello { sdk, labels: told, resume, .. }) = peer.hear().await else { panic!("no hello") };
    assert_eq!((sdk.starts_with("muster-client/"), told, resume), (true, labels, None));
    peer.say(welcome()).await;
    assert!(matches!(soon(news.recv()).await, Some(Incoming::Online { welcome: Some(_), .. })));
}

#[tokio::test]
async fn a_command_is_handed_out_once_and_acknowledged_each_time() {
    let node = Node::bind().await;
    let (_terminal, mut news) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(news.recv()).await;
    for _ in 0..2 {
        peer.say(FromNode::Command(command(1, None))).await;
        assert_eq!(peer.hear().await, FromTerminal::Ack(Ack { id: id(1) }));
    }
    assert!(matches!(soon(news.recv()).await, Some(Incoming::Command { command, .. }) if command.id == id(1)));
    assert_eq!(soon(news.recv()).await, Some(Incoming::Repeated(id(1))));
}

#[tokio::test]
async fn what_was_seen_and_the_cursor_outlive_a_session() {
    let node = Node::bind().await;
    let (_terminal, mut news) = start(config([node.url()]));
    let mut first = node.welcome().await;
    first.say(FromNode::Command(command(1, Some("c1")))).await;
    first.hear().await;
    first.close(4003, "").await;
    let (mut second, _) = node.upgrade().await;
    assert!(matches!(second.hear().await, FromTerminal::Hello(hello) if hello.resume.as_deref() == Some("c1")));
    second.say(welcome()).await;
    second.say(FromNode::Command(command(1, Some("c1")))).await;
    assert_eq!(second.hear().await, FromTerminal::Ack(Ack { id: id(1) }));
    let mut repeated = false;
    while !repeated {
        repeated = soon(news.recv()).await == Some(Incoming::Repeated(id(1)));
    }
}

#[tokio::test]
async fn a_program_that_acknowledges_itself_is_left_to_it() {
    let node = Node::bind().await;
    let (terminal, mut news) = start(Config { acknowledge: false, ..config([node.url()]) });
    let mut peer = node.welcome().await;
    soon(news.recv()).await;
    peer.say(FromNode::Command(command(1, None))).await;
    soon(news.recv()).await;
    let health = FromTerminal::Health(Health { condition: Default::default(), metrics: Default::default() });
    terminal.send(health.clone()).await.unwrap();
    assert_eq!(peer.hear().await, health, "an ack came before");
    assert_eq!(terminal.send_text("bare").await, Err(SendError::OtherProtocol));
}

#[tokio::test]
async fn an_unknown_frame_is_ignored_and_a_gap_is_told() {
    let node = Node::bind().await;
    let (_terminal, mut news) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(news.recv()).await;
    peer.socket.send(Message::text(r#"{"type":"dance"}"#)).await.unwrap();
    let gap = Gap { from: "c1".into(), to: "c9".into(), reason: "trimmed".into() };
    peer.say(FromNode::Gap(gap.clone())).await;
    assert_eq!(soon(news.recv()).await, Some(Incoming::Gap(gap)));
}

#[tokio::test]
async fn plain_mode_carries_bare_messages_both_ways() {
    let node = Node::bind().await;
    let (terminal, mut news) = start(Config { protocol: Protocol::Plain, ..config([node.url()]) });
    let (mut peer, request) = node.upgrade().await;
    assert!(!request.headers().contains_key("Sec-WebSocket-Protocol"));
    assert!(matches!(soon(news.recv()).await, Some(Incoming::Online { welcome: None, .. })));
    peer.socket.send(Message::text("turn left")).await.unwrap();
    assert!(matches!(soon(news.recv()).await, Some(Incoming::Text { text, .. }) if text == "turn left"));
    terminal.send_text("turned").await.unwrap();
    assert_eq!(peer.hear_message().await, Message::text("turned"));
}

#[tokio::test]
async fn leaving_says_the_rest_and_closes_with_1000() {
    let node = Node::bind().await;
    let (terminal, mut news) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(news.recv()).await;
    let last = FromTerminal::Event(Event { name: "bye".into(), payload: Default::default() });
    terminal.send(last.clone()).await.unwrap();
    let leaving = tokio::spawn(terminal.close());
    assert_eq!(peer.hear().await, last);
    let Message::Close(Some(frame)) = peer.hear_message().await else { panic!("no close") };
    assert_eq!(frame.code, CloseCode::Normal);
    drop(peer);
    soon(leaving).await.unwrap();
    assert_eq!(soon(news.recv()).await, Some(Incoming::Gone(ConnectionEnd::Left)));
}

#[tokio::test]
async fn a_killed_terminal_closes_nothing_and_says_nothing() {
    let node = Node::bind().await;
    let (terminal, mut news) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(news.recv()).await;
    terminal.kill().await;
    assert!(matches!(soon(peer.socket.next()).await, Some(Err(_)) | None), "no close frame");
    assert_eq!(soon(news.recv()).await, None);
}

#[tokio::test]
async fn a_command_that_comes_too_late_is_not_run_and_the_node_is_told() {
    let node = Node::bind().await;
    let (_terminal, mut news) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(news.recv()).await;
    // By the node's clock, which is years ahead of this one.
    let late = Command { expires_at: "2029-12-31T23:59:59Z".parse().unwrap(), ..command(1, None) };
    peer.say(FromNode::Command(late)).await;
    assert!(matches!(peer.hear().await, FromTerminal::Result(ResultFrame { reason: Some(NotRun::Expired), .. })));
    assert_eq!(soon(news.recv()).await, Some(Incoming::Expired(id(1))));
}

#[tokio::test]
async fn a_staggered_command_waits_over_a_broken_session_and_is_acknowledged_when_it_is_run() {
    let node = Node::bind().await;
    let (_terminal, mut news) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(news.recv()).await;
    let staggered = || FromNode::Command(Command { stagger_ms: Some(400), ..command(1, Some("c1")) });
    peer.say(staggered()).await;
    peer.say(FromNode::Command(command(2, Some("c2")))).await;
    let (mut first, mut run) = (peer.hear().await, Vec::new());
    if first == FromTerminal::Ack(Ack { id: id(1) }) {
        first = peer.hear().await;
    }
    assert_eq!(first, FromTerminal::Ack(Ack { id: id(2) }));
    peer.close(4003, "").await;
    let (mut peer, _) = node.upgrade().await;
    assert!(matches!(peer.hear().await, FromTerminal::Hello(_)));
    peer.say(welcome()).await;
    // As a node does with what was not acknowledged.
    peer.say(staggered()).await;
    assert_eq!(peer.hear().await, FromTerminal::Ack(Ack { id: id(1) }));
    while run.len() < 2 {
        if let Some(Incoming::Command { command, .. }) = soon(news.recv()).await {
            run.push(command.id);
        }
    }
    run.sort();
    assert_eq!(run, [id(1), id(2)]);
}

#[tokio::test]
async fn a_result_that_may_have_been_lost_is_said_again() {
    let node = Node::bind().await;
    let (terminal, mut news) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    soon(news.recv()).await;
    terminal.result(id(1), true, Default::default()).await.unwrap();
    let said = peer.hear().await;
    peer.close(4003, "").await;
    assert_eq!(node.welcome().await.hear().await, said);
}
