//! Where a node listens.

use std::net::{SocketAddr, TcpListener};

use muster_testkit::{http::get, wait::until};

use crate::program::Program;

/// The addresses at which the node says that it listens.
fn listens(node: &Program) -> Vec<SocketAddr> {
    let log = node.0.stderr();
    let addresses = log.lines().filter_map(|line| line.split("listening address=").nth(1));
    addresses.map(|address| address.trim().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_node_listens_at_each_address_that_it_is_given() {
    let node = Program::start(&["--insecure", "--listen", "127.0.0.2:0,127.0.0.3:0"]);
    let first = node.ready().await;
    let all = listens(&node);
    assert_eq!((all.len(), all[0]), (3, first));
    for address in all {
        assert_eq!(get(address, "/v1/nodes").await.1["nodes"][0]["address"], first.to_string());
    }
}

#[tokio::test]
async fn an_unspecified_address_of_ipv6_takes_ipv4_too() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("this host has no IPv6: this test tests nothing");
        return;
    }
    let node = Program::start(&["--insecure", "--listen", "[::]:0"]);
    node.ready().await;
    let port = listens(&node)[1].port();
    for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        until(&address, async || get(address.parse().unwrap(), "/readyz").await.0 == 200).await;
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_by_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (status, error) = Program::start(&["--insecure", "--listen", &address]).ends().await;
    assert!(!status.success() && error.contains(&format!("--listen {address}: can't listen there")), "{error}");
}
