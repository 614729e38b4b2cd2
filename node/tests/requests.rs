//! Requests that say the same in another form: what libraries and proxies in use send.

use muster_protocol::api::Protocol;
use muster_testkit::{
    TestNode,
    http::{get, post, request},
};

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
