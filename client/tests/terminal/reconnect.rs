//! When a terminal reconnects, and when it does not. Delays are read from what the terminal reports and not from the clock.

use std::time::Duration;

use crate::fake_node::{FakeNode, config, start, welcome};
use muster_client::{Config, ConfigError, ConnectionEnd, Incoming, Terminal};
use muster_protocol::frame::{FromNode, Goodbye};
use muster_testkit::wait::soon;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

/// The next end that the terminal reports, and how long it waits before it reconnects.
async fn offline(reports: &mut mpsc::Receiver<Incoming>) -> (ConnectionEnd, Duration) {
    loop {
        match soon(reports.recv()).await.expect("gone") {
            Incoming::Offline { end, retry_in } => return (end, retry_in),
            Incoming::Gone(end) => panic!("gone: {end}"),
            _ => {}
        }
    }
}

async fn gone(reports: &mut mpsc::Receiver<Incoming>) -> ConnectionEnd {
    loop {
        match soon(reports.recv()).await.expect("no report of the end") {
            Incoming::Gone(end) => return end,
            Incoming::Offline { end, .. } => panic!("the terminal reconnects after: {end}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_hint_in_the_close_is_followed() {
    let node = FakeNode::bind().await;
    let (_terminal, mut reports) = start(config([node.url()]));
    node.welcome().await.close(1012, r#"{"retry_ms":40}"#).await;
    let (end, retry_in) = offline(&mut reports).await;
    assert!(matches!(end, ConnectionEnd::Closed { code: 1012, .. }));
    assert!((40..=44).contains(&retry_in.as_millis()), "{retry_in:?}");
    node.welcome().await;
    assert!(matches!(soon(reports.recv()).await, Some(Incoming::Online { .. })));
}

#[tokio::test]
async fn the_nodes_close_is_answered_with_its_code() {
    let node = FakeNode::bind().await;
    let (_terminal, _reports) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    let close = CloseFrame { code: 1012.into(), reason: "".into() };
    peer.socket.close(Some(close)).await.unwrap();
    let Message::Close(Some(answer)) = peer.receive_message().await else { panic!("no answer") };
    assert_eq!(u16::from(answer.code), 1012);
}

#[tokio::test]
async fn a_hint_in_the_goodbye_is_followed() {
    let node = FakeNode::bind().await;
    let (_terminal, mut reports) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    peer.send(FromNode::Goodbye(Goodbye { reason: "draining".into(), retry_ms: Some(30) })).await;
    peer.close(1012, "").await;
    assert!((30..=33).contains(&offline(&mut reports).await.1.as_millis()));
}

#[tokio::test]
async fn a_replaced_terminal_stays_away() {
    let node = FakeNode::bind().await;
    let (terminal, mut reports) = start(config([node.url()]));
    node.welcome().await.close(4509, "replaced").await;
    assert_eq!(gone(&mut reports).await, ConnectionEnd::Closed { code: 4509, reason: "replaced".into(), hint: None });
    while !terminal.is_gone() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_429_is_retried_after_its_retry_after() {
    let node = FakeNode::bind().await;
    let (_terminal, mut reports) = start(config([node.url()]));
    node.refuse(429, Some("1")).await;
    let (end, retry_in) = offline(&mut reports).await;
    assert_eq!(end, ConnectionEnd::Refused { status: 429, hint: Some(Duration::from_secs(1)) });
    assert!((1000..=1100).contains(&retry_in.as_millis()), "{retry_in:?}");
    node.welcome().await;
}

#[tokio::test]
async fn a_terminal_that_is_refused_for_good_stays_away() {
    let node = FakeNode::bind().await;
    for status in [400, 403, 404] {
        let (_terminal, mut reports) = start(config([node.url()]));
        node.refuse(status, None).await;
        assert_eq!(gone(&mut reports).await, ConnectionEnd::Refused { status, hint: None });
    }
}

#[tokio::test]
async fn after_each_failed_attempt_the_next_url_is_tried() {
    let (first, second) = (FakeNode::bind().await, FakeNode::bind().await);
    let (_terminal, mut reports) = start(config([first.url(), second.url()]));
    first.refuse(503, None).await;
    second.welcome().await.close(4003, "").await;
    second.refuse(503, None).await;
    first.welcome().await;
    assert_eq!(offline(&mut reports).await.0, ConnectionEnd::Refused { status: 503, hint: None });
}

#[tokio::test]
async fn a_node_that_sends_no_welcome_is_given_up() {
    let node = FakeNode::bind().await;
    let (_terminal, mut reports) = start(Config { deadline: Duration::from_millis(50), ..config([node.url()]) });
    let _silent = node.upgrade().await;
    assert_eq!(offline(&mut reports).await.0, ConnectionEnd::NoWelcome);
}

#[tokio::test]
async fn a_node_that_stops_pinging_is_given_up() {
    let node = FakeNode::bind().await;
    let (_terminal, mut reports) = start(config([node.url()]));
    let (mut peer, _) = node.upgrade().await;
    peer.receive().await;
    let FromNode::Welcome(promise) = welcome() else { unreachable!() };
    peer.send(FromNode::Welcome(muster_protocol::frame::Welcome { ping_ms: 10, ..promise })).await;
    assert_eq!(offline(&mut reports).await.0, ConnectionEnd::Silent);
}

#[tokio::test]
async fn a_terminal_can_be_closed_while_it_waits_to_reconnect() {
    let node = FakeNode::bind().await;
    let (terminal, mut reports) = start(config([node.url()]));
    node.refuse(429, Some("500")).await;
    offline(&mut reports).await;
    soon(terminal.close()).await;
    assert_eq!(gone(&mut reports).await, ConnectionEnd::Left);
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused() {
    let start = |urls: &[&str]| Terminal::start(config(urls.iter().map(|url| url.to_string())), mpsc::channel(1).0);
    assert_eq!(start(&[]).unwrap_err(), ConfigError::NoUrl);
    assert!(matches!(start(&["ws://h/ws", "http://h/ws"]), Err(ConfigError::BadUrl { index: 1, .. })));
}
