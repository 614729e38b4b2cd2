//! Web pages that call a node.

use muster_testkit::{
    TestNode,
    http::{exchange, handshake, head_of_answer, raw},
    token::{NEVER, SECRET, token},
};

/// The status of a handshake from a page with this origin, and of a command that it sends as a form would.
async fn statuses(node: &TestNode, origin: &str, more: &str) -> (u16, u16) {
    let origin = if origin.is_empty() { String::new() } else { format!("Origin: {origin}\r\n") };
    let head = handshake("?terminal_id=t1", &format!("{origin}{more}"));
    let answer = head_of_answer(node.address, &head).await;
    let body = r#"{"target":{"all":true},"name":"x"}"#;
    let head = format!(
        "POST /v1/commands?dry_run=1 HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{origin}",
        body.len()
    );
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), exchange(node.address, &head, body).await.0)
}

#[tokio::test]
async fn an_open_node_lets_only_pages_of_its_own_machine_and_host_in() {
    let node = TestNode::start(&["--insecure"]).await;
    for own in ["", "http://127.0.0.1:9000", "http://localhost:3000", "http://[::1]", "http://test", "https://TEST:1"] {
        assert_eq!(statuses(&node, own, "").await, (101, 200), "{own}");
    }
    for other in ["https://evil.com", "null", "http://test.evil.com", "http://localhost.evil.com", "nonsense"] {
        assert_eq!(statuses(&node, other, "").await, (403, 403), "{other}");
    }
    let read = exchange(node.address, "GET /v1/fleet HTTP/1.1\r\nOrigin: https://evil.com\r\n", "").await;
    assert!(
        read.0 == 200 && !read.1.contains("access-control"),
        "a page may ask, and can't read the answer: {}",
        read.1
    );
    node.stop().await;
}

#[tokio::test]
async fn with_a_list_only_pages_of_listed_origins_are_let_in() {
    let listed = "https://ops.example.net,http://10.0.0.1:8080";
    for open in [true, false] {
        let access: &[&str] = if open { &["--insecure"] } else { &["--secret", SECRET] };
        let node = TestNode::start(&[access, &["--allow-origin", listed]].concat()).await;
        let key = if open { String::new() } else { format!("Authorization: Bearer {}\r\n", token("t1", NEVER)) };
        let posted = if open { 200 } else { 401 };
        for origin in ["", "https://ops.example.net", "https://OPS.example.net:443", "http://10.0.0.1:8080"] {
            assert_eq!(statuses(&node, origin, &key).await, (101, posted), "{origin}");
        }
        for origin in
            ["https://ops.example.net:8443", "http://ops.example.net", "null", "http://localhost", "http://test"]
        {
            assert_eq!(statuses(&node, origin, &key).await, (403, 403), "{origin}");
        }
        node.stop().await;
    }
    let closed = TestNode::start(&["--secret", SECRET]).await;
    let key = format!("Authorization: Bearer {}\r\n", token("t1", NEVER));
    assert_eq!(statuses(&closed, "https://anywhere.example", &key).await, (101, 401), "the token decides");
    closed.stop().await;
}

#[tokio::test]
async fn a_listed_page_may_read_every_answer_of_the_api_and_no_other_page() {
    let node = TestNode::start(&["--secret", SECRET, "--allow-origin", "https://ops.example.net"]).await;
    let ask = async |method: &str, path: &str, headers: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
        raw(node.address, head.as_bytes()).await
    };
    let listed = "Origin: https://ops.example.net\r\n";
    for (method, path) in
        [("GET", "/v1/terminals"), ("GET", "/v1/nowhere"), ("PUT", "/v1/commands"), ("GET", "/v1/%zz")]
    {
        let answer = ask(method, path, listed).await;
        assert!(answer.contains("access-control-allow-origin: https://ops.example.net\r\n"), "{path}: {answer}");
        assert!(answer.contains("access-control-expose-headers: Retry-After"), "{path}: {answer}");
        assert!(answer.contains("vary: Origin") && !answer.contains("allow-credentials"), "{path}: {answer}");
        for other in ["Origin: https://evil.com\r\n", "Origin: null\r\n", ""] {
            let answer = ask(method, path, other).await;
            assert!(!answer.contains("access-control") && answer.contains("vary: Origin"), "{other}{answer}");
        }
    }
    let preflight = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n";
    let answer = ask("OPTIONS", "/v1/commands", &format!("{listed}{preflight}")).await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "it needs no key: {answer}");
    for says in
        ["allow-origin: https://ops.example.net", "allow-methods: POST, GET", "allow-headers: Authorization", "max-age"]
    {
        assert!(answer.contains(&format!("access-control-{says}")), "{says}: {answer}");
    }
    let answer = ask("OPTIONS", "/v1/commands", &format!("Origin: https://evil.com\r\n{preflight}")).await;
    assert!(!answer.contains("access-control"), "{answer}");
    node.stop().await;
}
