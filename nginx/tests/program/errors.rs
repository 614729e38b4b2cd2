//! The errors that clients get are counted, by what caused them.

use std::fs;

use muster_testkit::{free_port, wait::until};

use crate::proxy::{Proxy, status};

/// Waits until so many errors were counted with this status and cause.
async fn until_counted(proxy: &Proxy, code: &str, cause: &str, times: f64) {
    let labels = [("status", code), ("cause", cause)];
    until(cause, async || proxy.metric_of("errors_answered_total", &labels).await == times).await;
}

#[tokio::test]
async fn an_answer_without_any_node_is_the_proxys_own() {
    let (proxy, address) = Proxy::ready(&[]).await;
    until_counted(&proxy, "503", "proxy", 0.0).await;
    for path in ["/", "/livez?a=b"] {
        assert_eq!(status(address, path).await, 503);
    }
    until_counted(&proxy, "503", "proxy", 2.0).await;
    assert_eq!(proxy.metric("errors_answered_total").await, 2.0, "nothing else");
}

#[tokio::test]
async fn servers_that_can_not_be_reached_are_a_cause() {
    let nodes = tempfile::NamedTempFile::new().unwrap();
    fs::write(nodes.path(), format!("127.0.0.1:{}\n", free_port())).unwrap();
    let from = format!("file:{}", nodes.path().display());
    let (proxy, address) = Proxy::ready(&["--nodes-from", &from, "--probe", "tcp"]).await;
    assert_eq!(status(address, "/").await, 502);
    until_counted(&proxy, "502", "unreachable", 1.0).await;
}
