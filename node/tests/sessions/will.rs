//! How large a will may be.

use futures_util::SinkExt;
use muster_testkit::{TestNode, http::events, wait::until};
use tokio_tungstenite::tungstenite::Message;

use crate::socket::{V1, is_shown_as, next, session_with};

/// The largest will that is stored, in bytes of JSON.
const LIMIT: usize = 8 * 1024;

/// Connects with a will of this size, reads the welcome and what follows it until a ping is answered, and breaks the
/// connection. Returns the frames that followed the welcome.
async fn lost_with_a_will_of(node: &TestNode, size: usize) -> Vec<String> {
    let will = "w".repeat(size - 2);
    let hello = format!(r#"{{"type":"hello","will":"{will}"}}"#);
    let mut socket = session_with(node, Some(V1), &hello).await;
    let welcome = next(&mut socket).await.into_text().unwrap();
    assert!(welcome.contains(r#""welcome""#), "{welcome}");
    socket.send(Message::Ping("all".into())).await.unwrap();
    let mut frames = Vec::new();
    loop {
        match next(&mut socket).await {
            Message::Pong(_) => break,
            frame => frames.push(frame.into_text().unwrap().to_string()),
        }
    }
    drop(socket);
    is_shown_as(node, "offline").await;
    frames
}

/// Waits until this many terminals went offline and the text `last` was told of; returns the number of wills.
async fn wills_of(node: &TestNode, terminals: usize, last: &str) -> usize {
    let mut told = String::new();
    until("all of them are told", async || {
        told = events(node.address).await;
        told.matches("event: terminal.offline").count() >= terminals && told.contains(last)
    })
    .await;
    told.matches(r#""name":"will""#).count()
}

#[tokio::test]
async fn a_will_is_stored_up_to_the_bound_of_events_and_refused_over_it_while_the_session_goes_on() {
    let node = TestNode::start(&["--insecure"]).await;
    assert_eq!(lost_with_a_will_of(&node, LIMIT).await, Vec::<String>::new());
    let frames = lost_with_a_will_of(&node, LIMIT + 1).await;
    let [error] = &frames[..] else { panic!("no error, or more: {frames:?}") };
    assert!(error.contains("too_large") && error.contains("8193") && error.contains("8192"), "{error}");
    lost_with_a_will_of(&node, 6).await;
    assert_eq!(wills_of(&node, 3, r#":"wwww""#).await, 2);
    node.stop().await;
}
