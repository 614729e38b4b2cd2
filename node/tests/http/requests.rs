//! Requests that say the same in another form: what libraries and proxies in use send.

use std::net::{SocketAddr, TcpListener};

use muster_protocol::api::Protocol;
use muster_testkit::{
    TestNode,
    http::{get, post, request},
    wait::until,
};
use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest};

#[tokio::test]
async fn an_id_in_a_path_may_be_percent_encoded() {
    let node = TestNode::start(&["--insecure"]).await;
    let _terminal = node.terminal("AA:BB", Protocol::Plain, &[]).await;
    let at = node.address;
    assert_eq!(get(at, "/v1/terminals/AA%3ABB").await.1["id"], "AA:BB");
    let put = "PUT /v1/terminals/%41A%3aBB/labels HTTP/1.1\r\nContent-Length: 2\r\n";
    assert_eq!(muster_testkit::http::exchange(at, put, "{}").await.0, 200);
    assert_eq!(request(at, "DELETE /v1/terminals/AA%3ABB/session HTTP/1.1\r\n").await.0, 202);
    let id = node.command(r#"{"terminals":["AA:BB"]}"#, "1").await.1["id"].as_str().unwrap().replace('-', "%2D");
    assert_eq!(get(at, &format!("/v1/commands/{id}")).await.0, 200);
    assert_eq!(get(at, &format!("/v1/commands/{id}/targets")).await.0, 200);
    assert_eq!(post(at, "/v1/nodes/n%2D1/drain", "").await.0, 404, "a node id that nobody has");
    node.stop().await;
}

#[tokio::test]
async fn a_proxy_is_trusted_by_its_ipv4_address_where_a_node_listens_on_all_of_ipv6() {
    if TcpListener::bind("[::]:0").is_err() {
        eprintln!("not tried: this host has no IPv6");
        return;
    }
    let node = TestNode::start_at("[::]:0", &["--insecure", "--trusted-proxy", "127.0.0.0/8"]).await;
    let at = SocketAddr::from(([127, 0, 0, 1], node.address.port()));
    for (real_ip, shown) in
        [("203.0.113.9", "203.0.113.9"), ("::ffff:203.0.113.10", "203.0.113.10"), ("unreadable", "127.0.0.1")]
    {
        let mut request = format!("ws://{at}/ws?terminal_id=t1").into_client_request().unwrap();
        request.headers_mut().insert("X-Real-IP", real_ip.parse().unwrap());
        let _socket = connect_async(request).await.unwrap();
        until("its address is shown", async || get(at, "/v1/terminals/t1").await.1["address"] == shown).await;
    }
    node.stop().await;
}

#[tokio::test]
async fn every_path_answers_head_and_options_and_names_its_methods() {
    let node = TestNode::start(&["--insecure"]).await;
    let _terminal = node.terminal("t1", Protocol::Plain, &[]).await;
    let ask = async |method: &str, path: &str| request(node.address, &format!("{method} {path} HTTP/1.1\r\n")).await;
    for path in ["/", "/livez", "/readyz", "/metrics", "/v1/terminals", "/v1/terminals/t1", "/v1/fleet", "/v1/nodes"] {
        let (status, head, body) = ask("HEAD", path).await;
        assert!(status == 200 && body.is_empty(), "{path}: {head} {body}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        assert!(length.parse::<usize>().unwrap() > 0, "{path}: {head}");
    }
    assert_eq!(ask("HEAD", "/v1/events").await.0, 200);
    assert_eq!(ask("HEAD", "/v1/terminals/nobody").await.0, 404);
    for (path, methods) in [
        ("/livez", "GET, HEAD, OPTIONS"),
        ("/v1/commands", "POST, GET, HEAD, OPTIONS"),
        ("/v1/terminals/t1/labels", "PUT, OPTIONS"),
        ("/ws", "GET, OPTIONS"),
        ("*", "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
    ] {
        for (method, status) in [("OPTIONS", 204), ("PATCH", 405)] {
            let (answered, head, _) = ask(method, path).await;
            assert!(answered == status && head.contains(&format!("allow: {methods}")), "{method} {path}: {head}");
        }
    }
    assert_eq!(ask("OPTIONS", "/nowhere").await.0, 404);
    node.stop().await;
}

#[tokio::test]
async fn a_slash_behind_the_path_of_the_websocket_changes_nothing() {
    for (flag, paths) in [("/ws", ["/ws", "/ws/"]), ("/line/", ["/line", "/line/"])] {
        let node = TestNode::start(&["--insecure", "--ws-path", flag]).await;
        for path in paths {
            connect_async(format!("ws://{}{path}?terminal_id=t1", node.address)).await.unwrap();
        }
        node.stop().await;
    }
}
