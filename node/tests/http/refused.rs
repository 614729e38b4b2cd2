//! Refused handshakes, as operators see them.

use muster_testkit::{
    TestNode,
    http::{events, handshake, request},
    token::{NEVER, SECRET, token},
    wait::until,
};

#[tokio::test]
async fn a_refused_handshake_is_seen_by_its_cause_as_an_event_and_a_metric() {
    // The API is open to whoever sends no key, and tokens are verified.
    let node = TestNode::start(&["--insecure", "--secret", SECRET]).await;
    let bearer = |token: String| format!("X-Real-IP: 10.1.2.3\r\nAuthorization: Bearer {token}\r\n");
    let offer = format!("Sec-WebSocket-Protocol: mqtt\r\n{}", bearer(token("t4", NEVER)));
    for (query, headers) in [
        ("?terminal_id=t1", bearer(token("t1", 1))),
        ("?terminal_id=t1", bearer(token("t1", 1))),
        ("", bearer(token("t2", 1))),
        ("?terminal_id=t3", bearer(token("t9", NEVER))),
        ("?terminal_id=t4", offer),
        ("?terminal_id=t5", bearer("nonsense".into())),
        ("?terminal_id=a%20b", bearer(token("t6", NEVER))),
        ("?terminal_id=t7", "Origin: https://evil.com\r\n".into()),
    ] {
        let (status, _, body) = request(node.address, &handshake(query, &headers)).await;
        assert!((400..500).contains(&status), "{query}: {status} {body}");
    }
    let mut said = String::new();
    until("the last event is there", async || {
        said = events(node.address).await;
        said.contains("evil") || said.contains(r#""terminal":"t7""#)
    })
    .await;
    for (terminal, cause, status) in [
        ("t1", "token_expired", 401),
        ("t2", "token_expired", 401),
        ("t3", "other_terminal", 403),
        ("t4", "subprotocol", 400),
        ("t5", "bad_token", 401),
        ("t6", "url", 400),
        ("t7", "origin", 403),
    ] {
        let of_terminal: Vec<_> =
            said.lines().filter(|line| line.contains(&format!(r#""terminal":"{terminal}""#))).collect();
        let [event] = of_terminal[..] else { panic!("{terminal}: {said}") };
        for field in [format!(r#""cause":"{cause}""#), format!(r#""status":{status}"#), r#""address":""#.into()] {
            assert!(event.contains(&field), "{field}: {event}");
        }
    }
    assert!(said.contains("event: terminal.refused") && said.contains(r#""address":"10.1.2.3""#), "{said}");
    assert!(!said.contains(&token("t1", 1)), "no token is told");
    let metrics = request(node.address, "GET /metrics HTTP/1.1\r\n").await.2;
    let line = r#"muster_handshakes_refused_total{cause="token_expired",status="401"} 3"#;
    assert!(metrics.lines().any(|metric| metric == line), "{metrics}");
    node.stop().await;
}
