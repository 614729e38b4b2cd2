//! When a terminal comes back, and when it does not. Delays are read from what it announces, not from the clock.

use std::time::Duration;

use crate::script::{Node, config, soon, start, welcome};
use muster_client::{Config, ConnectionEnd, Incoming, InvalidConfig, Terminal};
use muster_protocol::frame::{FromNode, Goodbye};
use tokio::sync::mpsc;

/// The next end that the terminal announces, and when it will be back.
async fn offline(news: &mut mpsc::Receiver<Incoming>) -> (ConnectionEnd, Duration) {
    loop {
        match soon(news.recv()).await.expect("gone") {
            Incoming::Offline { end, retry_in } => return (end, retry_in),
            Incoming::Gone(end) => panic!("gone: {end}"),
            _ => {}
        }
    }
}

async fn gone(news: &mut mpsc::Receiver<Incoming>) -> ConnectionEnd {
    loop {
        match soon(news.recv()).await.expect("gone without a word") {
            Incoming::Gone(end) => return end,
            Incoming::Offline { end, .. } => panic!("it wants to come back from: {end}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_hint_in_the_close_is_obeyed() {
    let node = Node::bind().await;
    let (_terminal, mut news) = start(config([node.url()]));
    node.welcome().await.close(1012, r#"{"retry_ms":40}"#).await;
    let (end, retry_in) = offline(&mut news).await;
    assert!(matches!(end, ConnectionEnd::Closed { code: 1012, .. }));
    assert!((40..=44).contains(&retry_in.as_millis()), "{retry_in:?}");
    node.welcome().await;
    assert!(matches!(soon(news.recv()).await, Some(Incoming::Online { .. })));
}

#[tokio::test]
async fn a_hint_in_the_goodbye_is_obeyed() {
    let node = Node::bind().await;
    let (_terminal, mut news) = start(config([node.url()]));
    let mut peer = node.welcome().await;
    peer.say(FromNode::Goodbye(Goodbye { reason: "draining".into(), retry_ms: Some(30) })).await;
    peer.close(1012, "").await;
    assert!((30..=33).contains(&offline(&mut news).await.1.as_millis()));
}

#[tokio::test]
async fn a_replaced_terminal_stays_away() {
    let node = Node::bind().await;
    let (terminal, mut news) = start(config([node.url()]));
    node.welcome().await.close(4509, "replaced").await;
    assert_eq!(gone(&mut news).await, ConnectionEnd::Closed { code: 4509, reason: "replaced".into(), hint: None });
    while !terminal.is_gone() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_429_is_retried_after_what_it_says() {
    let node = Node::bind().await;
    let (_terminal, mut news) = start(config([node.url()]));
    node.refuse(429, Some("1")).await;
    let (end, retry_in) = offline(&mut news).await;
    assert_eq!(end, ConnectionEnd::Refused { status: 429, hint: Some(Duration::from_secs(1)) });
    assert!((1000..=1100).contains(&retry_in.as_millis()), "{retry_in:?}");
    node.welcome().await;
}

#[tokio::test]
async fn a_refused_token_stays_away() {
    let node = Node::bind().await;
    let (_terminal, mut news) = start(config([node.url()]));
    node.refuse(401, None).await;
    assert_eq!(gone(&mut news).await, ConnectionEnd::Refused { status: 401, hint: None });
}

#[tokio::test]
async fn each_failed_attempt_goes_on_to_the_next_url() {
    let (first, second) = (Node::bind().await, Node::bind().await);
    let (_terminal, mut news) = start(config([first.url(), second.url()]));
    first.refuse(503, None).await;
    second.welcome().await.close(4003, "").await;
    second.refuse(503, None).await;
    first.welcome().await;
    assert_eq!(offline(&mut news).await.0, ConnectionEnd::Refused { status: 503, hint: None });
}

#[tokio::test]
async fn a_node_that_says_no_welcome_is_given_up() {
    let node = Node::bind().await;
    let (_terminal, mut news) = start(Config { deadline: Duration::from_millis(50), ..config([node.url()]) });
    let _silent = node.upgrade().await;
    assert_eq!(offline(&mut news).await.0, ConnectionEnd::NoWelcome);
}

#[tokio::test]
async fn a_node_that_stops_to_ping_is_given_up() {
    let node = Node::bind().await;
    let (_terminal, mut news) = start(config([node.url()]));
    let (mut peer, _) = node.upgrade().await;
    peer.hear().await;
    let FromNode::Welcome(promise) = welcome() else { unreachable!() };
    peer.say(FromNode::Welcome(muster_protocol::frame::Welcome { ping_ms: 10, ..promise })).await;
    assert_eq!(offline(&mut news).await.0, ConnectionEnd::Silent);
}

#[tokio::test]
async fn a_terminal_leaves_also_while_it_waits() {
    let node = Node::bind().await;
    let (terminal, mut news) = start(config([node.url()]));
    node.refuse(429, Some("500")).await;
    offline(&mut news).await;
    soon(terminal.close()).await;
    assert_eq!(gone(&mut news).await, ConnectionEnd::Left);
}

#[tokio::test]
async fn a_configuration_that_can_not_work_is_refused() {
    let start = |urls: &[&str]| Terminal::start(config(urls.iter().map(|url| url.to_string())), mpsc::channel(1).0);
    assert_eq!(start(&[]).unwrap_err(), InvalidConfig::NoUrl);
    assert!(matches!(start(&["ws://h/ws", "wss://h/ws"]), Err(InvalidConfig::BadUrl { index: 1, .. })));
}
