//! Where the token comes from, and what a terminal does when it expires or is refused. The fake node's time is [`NOW`] at each
//! welcome.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use muster_client::{Config, ConnectionEnd, Incoming, Policy, Token, TokenSource, TokenUnavailable};
use muster_protocol::{
    api::Protocol,
    frame::{Ack, ErrorFrame, FromNode, FromTerminal, TOKEN_REFUSED},
    token::{Secret, TerminalClaims, sign},
};
use muster_testkit::{token::SECRET, wait::soon};
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::{Message, handshake::server::Request};

use crate::fake_node::{FakeNode, FakeSession, command, config, id, start, welcome};

/// 2030-01-01T00:00:00Z.
const NOW: u64 = 1_893_456_000;
const HOUR: u64 = 3600;

/// A token that expires at `exp`, and differs from those with another `number`.
fn token(number: usize, exp: u64) -> String {
    let labels = [("number".to_owned(), number.to_string())].into();
    sign(
        &SECRET.parse::<Secret>().unwrap(),
        &TerminalClaims { labels, ..TerminalClaims::new("t1".parse().unwrap(), exp) },
    )
}

/// A source that is a function: its answers by the number of the call, from 0.
fn source(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> (TokenSource, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let source = TokenSource::call(move || {
        let token = answer(counter.fetch_add(1, Ordering::SeqCst)).parse::<Token>();
        async move { token }
    });
    (source, calls)
}

/// Asks an unhelpful source about every 100 ms.
fn config_with(node: &FakeNode, token: TokenSource) -> Config {
    let policy = Policy { first: Duration::ZERO, cap: Duration::from_millis(100), ..Policy::default() };
    Config { token: Some(token), policy, ..config([node.url()]) }
}

fn write(path: &Path, token: &str) {
    let new = path.with_extension("new");
    fs::write(&new, token).unwrap();
    fs::rename(new, path).unwrap();
}

fn bearer(request: &Request) -> &str {
    request.headers()["Authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap()
}

/// Accepts the next connection and answers its hello. Returns its token too.
async fn welcomed(node: &FakeNode) -> (FakeSession, String) {
    let (mut peer, request) = node.upgrade().await;
    assert!(matches!(peer.receive().await, FromTerminal::Hello(_)));
    peer.send(welcome()).await;
    (peer, bearer(&request).to_owned())
}

/// The token in the next frame, which must be `token`.
async fn renewed(peer: &mut FakeSession) -> String {
    match peer.receive().await {
        FromTerminal::Token(frame) => frame.token,
        other => panic!("no token but {other:?}"),
    }
}

/// The next end that the terminal reports, and how long it waits at most before it reconnects.
async fn offline(reports: &mut mpsc::Receiver<Incoming>) -> (ConnectionEnd, Duration) {
    loop {
        match soon(reports.recv()).await.expect("gone") {
            Incoming::Offline { end, retry_in } => return (end, retry_in),
            Incoming::Gone(end) => panic!("gone: {end}"),
            _ => {}
        }
    }
}

fn is_slow(delay: Duration) -> bool {
    (150..=300).contains(&delay.as_secs())
}

#[tokio::test]
async fn a_file_that_is_rewritten_extends_the_session_before_its_token_expires() {
    let (node, folder) = (FakeNode::bind().await, tempfile::tempdir().unwrap());
    let file = folder.path().join("token");
    let tokens = [token(1, NOW + 4), token(2, NOW + HOUR)];
    write(&file, &tokens[0]);
    let (_terminal, _reports) = start(config_with(&node, TokenSource::file(&file)));
    let (mut peer, first) = welcomed(&node).await;
    let began = Instant::now();
    write(&file, &tokens[1]);
    assert_eq!((first, renewed(&mut peer).await), (tokens[0].clone(), tokens[1].clone()));
    assert!((1900..4000).contains(&began.elapsed().as_millis()), "renewed after {:?}", began.elapsed());
    peer.close(4003, "").await;
    assert_eq!(welcomed(&node).await.1, tokens[1]);
}

#[tokio::test]
async fn a_file_is_read_again_before_each_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    for (first, protocol) in [(0, Protocol::V1), (9, Protocol::Plain)] {
        // The terminal of before may have come back to its node once more.
        let node = FakeNode::bind().await;
        write(&file, &token(first, NOW + HOUR));
        let (_terminal, _reports) = start(Config { protocol, ..config_with(&node, TokenSource::file(&file)) });
        for number in first..first + 3 {
            let (peer, request) = node.upgrade().await;
            assert_eq!(bearer(&request), token(number, NOW + HOUR));
            write(&file, &token(number + 1, NOW + HOUR));
            peer.close(4003, "").await;
        }
    }
}

#[tokio::test]
async fn a_source_without_a_later_token_is_asked_again_and_only_a_later_one_is_sent() {
    let node = FakeNode::bind().await;
    // An expired token is renewed at once.
    let (source, calls) = source(|call| token(call, if call < 2 { NOW } else { NOW + HOUR }));
    let (_terminal, _reports) = start(config_with(&node, source));
    let (mut peer, _) = welcomed(&node).await;
    assert_eq!(renewed(&mut peer).await, token(2, NOW + HOUR));
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn after_4004_the_source_is_asked_before_the_terminal_comes_back() {
    for protocol in [Protocol::V1, Protocol::Plain] {
        let node = FakeNode::bind().await;
        let (source, calls) = source(|call| token(call, NOW + HOUR));
        let (_terminal, mut reports) = start(Config { protocol, ..config_with(&node, source) });
        for attempt in 0..3 {
            let (mut peer, request) = node.upgrade().await;
            assert_eq!(bearer(&request), token(attempt, NOW + HOUR));
            if protocol == Protocol::V1 {
                peer.receive().await;
                peer.send(welcome()).await;
            }
            assert!(matches!(soon(reports.recv()).await, Some(Incoming::Online { .. })));
            peer.close(4004, "").await;
            assert_eq!(offline(&mut reports).await.1, Duration::ZERO);
        }
        assert_eq!(calls.load(Ordering::SeqCst), 4);
    }
}

#[tokio::test]
async fn without_a_newer_token_a_terminal_comes_back_slowly_and_as_soon_as_its_file_is_renewed() {
    let (node, folder) = (FakeNode::bind().await, tempfile::tempdir().unwrap());
    let file = folder.path().join("token");
    write(&file, &token(1, NOW - 1));
    let (_terminal, mut reports) = start(config_with(&node, TokenSource::file(&file)));
    welcomed(&node).await.0.close(4004, "").await;
    let (end, retry_in) = offline(&mut reports).await;
    assert!(end.needs_token() && is_slow(retry_in), "{end}: {retry_in:?}");
    write(&file, &token(2, NOW + HOUR));
    assert_eq!(welcomed(&node).await.1, token(2, NOW + HOUR));
}

#[tokio::test]
async fn a_fixed_token_that_is_refused_is_tried_again_slowly() {
    for protocol in [Protocol::V1, Protocol::Plain] {
        let node = FakeNode::bind().await;
        let source = token(1, NOW + HOUR).parse().unwrap();
        let policy = Policy { slow: Duration::from_millis(20), ..Policy::default() };
        let (_terminal, mut reports) = start(Config { protocol, policy, ..config_with(&node, source) });
        for _ in 0..2 {
            node.refuse(401, None).await;
            let (end, retry_in) = offline(&mut reports).await;
            assert_eq!(end, ConnectionEnd::Refused { status: 401, hint: None });
            assert!((10..=20).contains(&retry_in.as_millis()), "{retry_in:?}");
        }
        node.upgrade().await.0.close(4004, "").await;
        assert!((10..=20).contains(&offline(&mut reports).await.1.as_millis()));
        node.upgrade().await;
    }
}

#[tokio::test]
async fn a_source_whose_tokens_are_all_refused_makes_no_storm_of_attempts() {
    let node = FakeNode::bind().await;
    let (source, _) = source(|call| token(call, NOW + HOUR));
    let (_terminal, mut reports) = start(config_with(&node, source));
    node.refuse(401, None).await;
    assert_eq!(offline(&mut reports).await.1, Duration::ZERO);
    let mut refused_at = Instant::now();
    for (number, pause) in [0, 100, 200, 400].into_iter().enumerate() {
        node.refuse(401, None).await;
        let waited = refused_at.elapsed();
        assert!(waited >= Duration::from_millis(pause), "attempt {number} came after {waited:?}");
        refused_at = Instant::now();
        assert!(is_slow(offline(&mut reports).await.1));
    }
}

#[tokio::test]
async fn after_two_refused_tokens_a_third_one_is_tried_soon() {
    let node = FakeNode::bind().await;
    let (source, _) = source(|call| token(call.min(2), NOW + HOUR));
    let (_terminal, _reports) = start(config_with(&node, source));
    node.refuse(401, None).await;
    node.refuse(401, None).await;
    assert_eq!(welcomed(&node).await.1, token(2, NOW + HOUR));
}

/// A source that answers once, with an expired token, and then hangs; and what is told when it is asked.
fn hanging() -> (TokenSource, Arc<Notify>) {
    let asked = Arc::new(Notify::new());
    let (asking, calls) = (asked.clone(), AtomicUsize::new(0));
    let source = TokenSource::call(move || {
        let is_first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        asking.notify_one();
        async move {
            if !is_first {
                std::future::pending::<()>().await;
            }
            token(1, NOW).parse::<Token>()
        }
    });
    (source, asked)
}

#[tokio::test]
async fn a_session_goes_on_while_its_source_hangs() {
    let node = FakeNode::bind().await;
    let (source, asked) = hanging();
    let deadline = Duration::from_secs(3600);
    let (_terminal, _reports) = start(Config { deadline, ..config_with(&node, source) });
    soon(asked.notified()).await;
    let (mut peer, _) = welcomed(&node).await;
    soon(asked.notified()).await;
    peer.send(FromNode::Command(command(1, None))).await;
    assert_eq!(peer.receive().await, FromTerminal::Ack(Ack { id: id(1) }));
}

#[tokio::test]
async fn a_source_that_hangs_is_given_up_at_the_deadline_and_the_next_attempt_has_the_token_of_before() {
    let node = FakeNode::bind().await;
    let deadline = Duration::from_millis(500);
    let (_terminal, mut reports) = start(Config { deadline, ..config_with(&node, hanging().0) });
    let (peer, _) = welcomed(&node).await;
    loop {
        match soon(reports.recv()).await.unwrap() {
            Incoming::TokenUnavailable(error) => break assert_eq!(error, TokenUnavailable::TimedOut(deadline)),
            Incoming::Offline { end, .. } => panic!("the session ended: {end}"),
            _ => {}
        }
    }
    peer.close(4003, "").await;
    assert_eq!(welcomed(&node).await.1, token(1, NOW));
}

#[tokio::test]
async fn a_token_that_the_node_refuses_is_followed_by_another_one_of_the_same_expiry() {
    let node = FakeNode::bind().await;
    let (source, _) = source(|call| token(call, if call == 0 { NOW } else { NOW + HOUR }));
    let (_terminal, mut reports) = start(config_with(&node, source));
    let (mut peer, _) = welcomed(&node).await;
    assert_eq!(renewed(&mut peer).await, token(1, NOW + HOUR));
    peer.send(FromNode::Error(ErrorFrame { code: TOKEN_REFUSED.into(), message: "no".into() })).await;
    assert_eq!(renewed(&mut peer).await, token(2, NOW + HOUR));
    assert!(matches!(soon(reports.recv()).await, Some(Incoming::Online { .. })));
    assert!(matches!(soon(reports.recv()).await, Some(Incoming::Error(_))));
}

#[tokio::test]
async fn a_terminal_without_a_token_makes_no_attempt_until_its_file_is_there() {
    let (node, folder) = (FakeNode::bind().await, tempfile::tempdir().unwrap());
    let file = folder.path().join("token");
    let (_terminal, mut reports) = start(config_with(&node, TokenSource::file(&file)));
    let (end, _) = offline(&mut reports).await;
    assert!(matches!(&end, ConnectionEnd::NoToken(TokenUnavailable::File { .. })), "{end}");
    assert!(end.to_string().contains("No such file"), "{end}");
    write(&file, &token(1, NOW + HOUR));
    let receiving = async { while reports.recv().await.is_some() {} };
    tokio::select! {
        (_, first) = welcomed(&node) => assert_eq!(first, token(1, NOW + HOUR)),
        () = receiving => panic!("gone"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_always_has_something_to_read_renews_its_token_too() {
    let node = FakeNode::bind().await;
    let (source, _) = source(|call| token(call, if call == 0 { NOW + 4 } else { NOW + HOUR }));
    let (_terminal, mut reports) = start(config_with(&node, source));
    // The program is slower than the node, so that there is always something to read.
    tokio::spawn(async move {
        while reports.recv().await.is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let (peer, _) = welcomed(&node).await;
    let (mut writer, mut reader) = peer.socket.split();
    let frame = FromNode::Error(ErrorFrame { code: "bad_frame".into(), message: "x".repeat(100) }).to_string();
    let writing = async { while writer.send(Message::text(frame.as_str())).await.is_ok() {} };
    tokio::select! {
        () = writing => panic!("the session ended"),
        token = soon(reader.next()) => assert!(token.unwrap().unwrap().to_text().unwrap().contains(r#""token""#)),
    }
}
