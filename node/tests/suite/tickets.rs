//! Tickets, by which a web page follows the events without a key.

use futures_util::future::join_all;
use muster_protocol::token::Scope;
use muster_testkit::{
    TestNode,
    http::{get, handshake, head_of_answer, post, request},
    token::{SECRET, key},
};

use crate::cluster::Cluster;

crate::on_both!(a_ticket_opens_one_stream_on_any_node, of_many_who_use_a_ticket_at_once_one_gets_in);

async fn ticket(node: &TestNode) -> String {
    let (status, answer) = post(node.address, "/v1/ticket", "").await;
    assert_eq!(status, 201, "{answer}");
    answer["ticket"].as_str().unwrap().to_owned()
}

/// The status of a stream with this query.
async fn status(node: &TestNode, query: &str) -> u16 {
    let head = head_of_answer(node.address, &format!("GET /v1/events?{query} HTTP/1.1\r\nConnection: close\r\n")).await;
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

async fn a_ticket_opens_one_stream_on_any_node(cluster: Cluster) {
    let first = ticket(cluster.here()).await;
    assert!(first.len() >= 32 && first != ticket(cluster.here()).await);
    assert_eq!(status(cluster.there(), &format!("kind=terminal.online&ticket={first}")).await, 200);
    for node in [cluster.here(), cluster.there()] {
        assert_eq!(status(node, &format!("ticket={first}")).await, 401);
        assert_eq!(status(node, "ticket=made-up").await, 401);
        assert_eq!(status(node, "ticket=").await, 401);
    }
    let second = ticket(cluster.here()).await;
    assert_eq!(get(cluster.here().address, &format!("/v1/terminals?ticket={second}")).await.0, 400, "for events alone");
    let (status, _, body) =
        request(cluster.here().address, &handshake(&format!("?terminal_id=t1&ticket={second}"), "")).await;
    assert!(status == 400 && body.contains("in the URL"), "{status} {body}");
    let metrics = request(cluster.here().address, "GET /metrics HTTP/1.1\r\n").await.2;
    assert!(!metrics.contains(&second));
}

async fn of_many_who_use_a_ticket_at_once_one_gets_in(cluster: Cluster) {
    let ticket = ticket(cluster.here()).await;
    let query = format!("ticket={ticket}");
    let asked = (0..20).map(|n| status(if n % 2 == 0 { cluster.here() } else { cluster.there() }, &query));
    let mut statuses = join_all(asked).await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1], statuses[19]), (200, 401, 401));
}

#[tokio::test]
async fn a_ticket_needs_a_key_and_stands_for_it_in_place_of_a_header() {
    let node = TestNode::start(&["--secret", SECRET]).await;
    assert_eq!(post(node.address, "/v1/ticket", "").await.0, 401);
    let head =
        format!("POST /v1/ticket HTTP/1.1\r\nContent-Length: 0\r\nAuthorization: Bearer {}\r\n", key(Scope::Read));
    let (status, head, body) = request(node.address, &head).await;
    assert!(status == 201 && head.contains("cache-control: no-store"), "{head}");
    let ticket = serde_json::from_str::<serde_json::Value>(&body).unwrap()["ticket"].as_str().unwrap().to_owned();
    assert_eq!(self::status(&node, "").await, 401);
    assert_eq!(self::status(&node, &format!("ticket={ticket}&last_event_id=0-0")).await, 200);
    node.stop().await;
}
