//! `--jwks`: the keys of another issuer let terminals in, and are read again.

mod issuer;

use std::{fs, net::SocketAddr, time::Instant};

use muster_testkit::{
    TestNode, free_port, http,
    http::{head_of_answer, request},
    token::{NEVER, SECRET},
    wait::until,
};
use serde_json::{Value, json};

use self::issuer::{TestIssuer, set, token};

/// The status of a handshake of `t1` with a token of these claims, signed with the key `kid`.
async fn status_with(node: SocketAddr, kid: &str, claims: Value) -> u16 {
    let headers = format!("Authorization: Bearer {}\r\n", token(kid, &claims));
    let head = head_of_answer(node, &http::handshake("?terminal_id=t1", &headers)).await;
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

async fn status(node: SocketAddr, kid: &str) -> u16 {
    status_with(node, kid, json!({ "sub": "t1", "exp": NEVER })).await
}

/// The value of a metric.
async fn metric(node: SocketAddr, name: &str) -> u64 {
    let text = request(node, "GET /metrics HTTP/1.1\r\n").await.2;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

const FAILED: &str = r#"muster_jwks_fetches_total{outcome="failed"}"#;

#[tokio::test]
async fn a_key_that_is_published_later_is_fetched_when_a_token_names_it() {
    let issuer = TestIssuer::start("127.0.0.1:0", &["old"]).await;
    let (node, began) = (TestNode::start(&["--jwks", &issuer.url()]).await, Instant::now());
    assert_eq!(status(node.address, "old").await, 101);
    issuer.publish(&["new"]);
    assert_eq!(status(node.address, "new").await, 401);
    until("the new key counts", async || status(node.address, "new").await == 101).await;
    assert_eq!((status(node.address, "old").await, metric(node.address, "muster_jwks_keys").await), (401, 1));
    // Anyone can send names that no key has: the server is asked for them once in 10 s.
    for number in 0..50 {
        assert_eq!(status(node.address, &format!("unknown-{number}")).await, 401);
    }
    let allowed = 3 + began.elapsed().as_secs() as usize / 10;
    assert!((2..=allowed).contains(&issuer.requests()), "{} of {allowed}", issuer.requests());
    node.stop().await;
}

#[tokio::test]
async fn whatever_else_a_server_answers_the_last_good_set_stays() {
    let big = format!("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n{}", " ".repeat(300_000));
    let many: Vec<_> = (0..65).map(|number| format!("k{number}")).collect();
    let many = set(&many.iter().map(String::as_str).collect::<Vec<_>>()).to_string();
    let body = |text: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
    for bad in [
        "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":",
        "",
        "gibberish",
        &big,
        &body(r#"{"keys":[]}"#),
        &body("[]"),
        &body(&many),
    ] {
        let issuer = TestIssuer::start("127.0.0.1:0", &["good"]).await;
        let node = TestNode::start(&["--jwks", &issuer.url()]).await;
        issuer.answer(bad);
        assert_eq!(status(node.address, "unknown").await, 401);
        until("it is read again", async || metric(node.address, FAILED).await > 0).await;
        assert_eq!(status(node.address, "good").await, 101, "{bad:.60}");
        node.stop().await;
    }
}

#[tokio::test]
async fn a_node_starts_while_the_server_is_away_and_reads_the_keys_when_it_is_there() {
    let listen = format!("127.0.0.1:{}", free_port());
    let node = TestNode::start(&["--jwks", &format!("http://{listen}/keys")]).await;
    assert_eq!(status(node.address, "k").await, 401);
    assert!(metric(node.address, FAILED).await > 0);
    let _issuer = TestIssuer::start(&listen, &["k"]).await;
    until("the keys are there", async || status(node.address, "k").await == 101).await;
    node.stop().await;
}

#[tokio::test]
async fn a_file_is_read_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), set(&["old"]).to_string()).unwrap();
    let node = TestNode::start(&["--jwks", file.path().to_str().unwrap()]).await;
    assert_eq!(status(node.address, "old").await, 101);
    fs::write(file.path(), set(&["new"]).to_string()).unwrap();
    until("the new key counts", async || status(node.address, "new").await == 101).await;
    assert_eq!(status(node.address, "old").await, 401);
    node.stop().await;
}

#[tokio::test]
async fn published_keys_sign_no_operators_keys_and_replace_no_key_of_a_flag() {
    let issuer = TestIssuer::start("127.0.0.1:0", &["k1", "k2"]).await;
    let flags = ["--jwks", &issuer.url(), "--secret", SECRET, "--audience", "muster.example", "--issuer", "https://i"];
    let node = TestNode::start(&flags).await;
    let key = token(
        "k2",
        &json!({ "sub": "op", "exp": NEVER, "aud": "muster-operator", "iss": "https://i", "scope": "admin" }),
    );
    let (status, _, body) =
        request(node.address, &format!("GET /v1/nodes HTTP/1.1\r\nAuthorization: Bearer {key}\r\n")).await;
    assert!(status == 401 && body.contains("its claim aud"), "{status} {body}");
    let good = json!({ "sub": "t1", "exp": NEVER, "aud": ["x", "muster.example"], "iss": "https://i" });
    let without = |claim: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(claim);
        claims
    };
    // k1 is the secret's name.
    for (kid, claims, expected) in
        [("k2", good.clone(), 101), ("k1", good.clone(), 401), ("k2", without("aud"), 401), ("k2", without("iss"), 401)]
    {
        assert_eq!(status_with(node.address, kid, claims.clone()).await, expected, "{kid} {claims}");
    }
    node.stop().await;
}

#[tokio::test]
async fn flags_that_can_t_be_used_are_named() {
    for (flags, says) in [
        (vec!["--jwks", "http://issuer.example/keys"], "--jwks-http"),
        (vec!["--insecure", "--jwks-http"], "need --jwks"),
        (vec!["--jwks", "https://issuer.example/keys", "--jwks-ca", "/nonexistent"], "--jwks-ca /nonexistent"),
    ] {
        let told = TestNode::start_error(&flags).await;
        assert!(told.contains(says), "{told}");
    }
}
