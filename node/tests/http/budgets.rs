//! What one terminal, or one address, can take of a node's handshakes.

use muster_testkit::{
    TestNode,
    http::{handshake, head_of_answer},
    token::{NEVER, SECRET, token},
};

/// The head of the answer to a handshake of this terminal, from this address as the proxy tells it.
async fn answer(node: &TestNode, terminal: &str, token: &str, address: &str) -> String {
    let headers = format!("X-Real-IP: {address}\r\nAuthorization: Bearer {token}\r\n");
    head_of_answer(node.address, &handshake(&format!("?terminal_id={terminal}"), &headers)).await
}

fn is_later(head: &str) -> bool {
    let wait = head.lines().find_map(|line| line.strip_prefix("retry-after: "));
    head.starts_with("HTTP/1.1 429 ") && wait.is_some_and(|wait| wait.parse::<u64>().is_ok_and(|wait| wait >= 1))
}

#[tokio::test]
async fn a_terminal_that_floods_takes_no_handshake_from_the_others() {
    let node = TestNode::start(&["--secret", SECRET, "--handshakes", "80", "--handshakes-per-terminal", "1"]).await;
    let flood = async {
        let (token, mut admitted, mut later) = (token("t1", NEVER), 0, 0);
        for _ in 0..400 {
            let head = answer(&node, "t1", &token, "10.0.0.1").await;
            admitted += usize::from(head.starts_with("HTTP/1.1 101 "));
            later += usize::from(is_later(&head));
        }
        (admitted, later)
    };
    let others = async {
        for number in 0..40 {
            let id = format!("other-{number}");
            let head = answer(&node, &id, &token(&id, NEVER), "10.0.0.1").await;
            assert!(head.starts_with("HTTP/1.1 101 "), "{id}: {head}");
        }
    };
    let ((admitted, later), ()) = tokio::join!(flood, others);
    assert!((20..=60).contains(&admitted) && admitted + later == 400, "{admitted} admitted, {later} later");
    node.stop().await;
}

#[tokio::test]
async fn an_address_whose_tokens_are_refused_is_told_to_wait_and_its_good_tokens_are_let_in() {
    let node = TestNode::start(&["--secret", SECRET, "--refusals-per-address", "1"]).await;
    let (bad, good) = (token("t1", 1), token("t1", NEVER));
    let mut refused = 0;
    while answer(&node, "t1", &bad, "10.0.0.1").await.starts_with("HTTP/1.1 401 ") {
        refused += 1;
        assert!(refused < 1000, "it is never held up");
    }
    assert!(refused >= 20, "{refused}");
    assert!(is_later(&answer(&node, "t1", &bad, "10.0.0.1").await));
    assert!(answer(&node, "t1", &bad, "10.0.0.2").await.starts_with("HTTP/1.1 401 "));
    assert!(
        answer(&node, "t1", &good, "10.0.0.1").await.starts_with("HTTP/1.1 101 "),
        "others stand behind that address"
    );
    node.stop().await;
}
