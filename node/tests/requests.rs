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
