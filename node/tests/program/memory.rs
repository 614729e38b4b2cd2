//! A node that uses as much memory as it may.

use muster_testkit::http::{get, handshake, request};

use crate::program::{Program, shortage, until_unready};

#[tokio::test]
async fn a_node_without_memory_takes_no_session_and_says_why() {
    // Less than any process has.
    let node = Program::start(&["--insecure", "--max-memory", "1048576"]);
    let address = node.ready().await;
    until_unready(address, "of the 1 MiB of memory that it may have (--max-memory)").await;
    let (status, head, body) = request(address, &handshake("?terminal_id=t1", "")).await;
    assert_eq!(status, 503, "{body}");
    assert!(head.contains("retry-after: ") && body.contains("takes no new sessions"), "{head} {body}");
    assert_eq!(shortage(address, "memory").await.as_deref(), Some("1"));
    assert_eq!(get(address, "/v1/nodes").await.1["nodes"][0]["accepts"], 0, "other nodes send it none");
}
