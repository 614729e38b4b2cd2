//! Where Nginx listens, and whose address it takes for a client's.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
};

use muster_testkit::{
    free_port,
    http::request,
    wait::{soon, until},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::proxy::{Proxy, status};

const TRUSTED: [&str; 2] = ["--real-ip-from", "127.0.0.0/8"];
/// The first bytes of a PROXY header of version 2.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A PROXY header of version 2 for a TCP connection from 203.0.113.9:1000 to 127.0.0.1:80.
fn version_2() -> Vec<u8> {
    let addresses = [203, 0, 113, 9, 127, 0, 0, 1, 3, 232, 0, 80];
    [SIGNATURE, &[0x21, 0x11, 0, addresses.len() as u8], &addresses].concat()
}

/// The same for one from [2001:db8::9]:1000 to [::1]:80.
fn version_2_of_ipv6() -> Vec<u8> {
    let mut addresses = [0; 36];
    addresses[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    (addresses[15], addresses[31]) = (9, 1);
    addresses[32..].copy_from_slice(&[3, 232, 0, 80]);
    [SIGNATURE, &[0x21, 0x21, 0, addresses.len() as u8], &addresses].concat()
}

/// Sends a request for this path after these bytes. Returns whether there was an answer of HTTP.
async fn is_answered(address: SocketAddr, before: &[u8], path: &str) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(&[before, request.as_bytes()].concat()).await.unwrap();
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    answer.starts_with(b"HTTP/1.1 503 ")
}

/// Waits until the access log has the path. Returns the client's address there.
async fn logged_address(proxy: &Proxy, path: &str) -> String {
    let mut from = None;
    until(path, async || {
        let log = fs::read_to_string(proxy.dir.path().join("access.log")).unwrap_or_default();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        from = lines.find(|line| line["path"] == path).and_then(|line| line["from"].as_str().map(str::to_owned));
        from.is_some()
    })
    .await;
    from.unwrap()
}

#[tokio::test]
async fn the_address_in_a_proxy_header_is_the_clients() {
    let (proxy, address) = Proxy::ready(&[&TRUSTED[..], &["--proxy-protocol"]].concat()).await;
    let version_1 = b"PROXY TCP4 203.0.113.9 127.0.0.1 1000 80\r\n".to_vec();
    let version_1_of_ipv6 = b"PROXY TCP6 2001:db8::9 ::1 1000 80\r\n".to_vec();
    for (path, header, expected) in [
        ("/1", version_1, "203.0.113.9"),
        ("/2", version_2(), "203.0.113.9"),
        ("/1-of-ipv6", version_1_of_ipv6, "2001:db8::9"),
        ("/2-of-ipv6", version_2_of_ipv6(), "2001:db8::9"),
    ] {
        assert!(is_answered(address, &header, path).await, "{path}");
        assert_eq!(logged_address(&proxy, path).await, expected, "{path}");
    }
    assert!(!is_answered(address, b"", "/none").await, "a connection must begin with a header");
}

#[tokio::test]
async fn a_proxy_header_from_elsewhere_is_read_and_not_believed() {
    let (proxy, address) = Proxy::ready(&["--proxy-protocol", "--real-ip-from", "10.0.0.0/8"]).await;
    assert!(is_answered(address, b"PROXY TCP4 203.0.113.9 127.0.0.1 1000 80\r\n", "/forged").await);
    assert_eq!(logged_address(&proxy, "/forged").await, "127.0.0.1");
}

#[tokio::test]
async fn of_a_chain_of_proxies_the_last_address_that_is_not_trusted_counts() {
    let (proxy, address) = Proxy::ready(&["--real-ip-from", "127.0.0.0/8,10.0.0.0/8"]).await;
    let chain = "198.51.100.1, 203.0.113.9, 10.1.2.3";
    request(address, &format!("GET /chain HTTP/1.1\r\nX-Forwarded-For: {chain}\r\n")).await;
    assert_eq!(logged_address(&proxy, "/chain").await, "203.0.113.9");
}

#[tokio::test]
async fn nginx_listens_at_each_address_that_it_is_given() {
    let ports = [free_port(), free_port()];
    let mut listen = format!("127.0.0.1:{},127.0.0.2:{}", ports[0], ports[1]);
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    if has_ipv6 {
        listen += &format!(",[::]:{}", ports[0]);
    }
    let (_proxy, first) = Proxy::ready(&["--listen", &listen]).await;
    assert_eq!(first.port(), ports[0]);
    for address in listen.split(',').map(|address| address.replace("[::]", "[::1]")) {
        assert_eq!(status(address.parse().unwrap(), "/").await, 503, "{address}");
    }
}

#[tokio::test]
async fn flags_that_collide_are_told_and_nothing_is_started() {
    for (flags, expected) in [
        (&["--proxy-protocol"][..], "--real-ip-from"),
        (&["--listen", "0.0.0.0:81,127.0.0.1:81"], "--listen 0.0.0.0:81 and --listen 127.0.0.1:81 collide"),
    ] {
        let mut proxy = Proxy::start(flags).await;
        assert!(!proxy.ends().await.0.success());
        assert!(proxy.sidecar.stderr().contains(expected), "{}", proxy.sidecar.stderr());
    }
}

#[tokio::test]
async fn a_taken_port_is_told_by_its_flag() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap();
    let mut proxy = Proxy::start(&["--listen", &format!("127.0.0.1:0,{taken}")]).await;
    let (status, error) = proxy.ends().await;
    assert!(!status.success() && error.contains(&format!("--listen {taken}: can't listen")), "{error}");
}
