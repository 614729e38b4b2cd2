//! Handshakes of terminals whose tokens are verified, and what they cost a server.

use std::{net::SocketAddr, path::Path, process::Command, time::Duration};

use muster_testkit::token::{NEVER, SECRET, token};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time,
};

use super::{dialect::request, process::ServerProcess, server::Server};

/// Handshakes of one measurement, each of another terminal.
const HANDSHAKES: usize = 4_000;
/// Handshakes under way at the same time.
const AT_ONCE: usize = 16;
/// How long a server may take to forget the connections that were closed.
const SETTLED: Duration = Duration::from_millis(500);

/// Starts a node that verifies tokens, without a cluster.
pub fn verifying_node(program: impl AsRef<Path>) -> ServerProcess {
    let mut command = Command::new(program.as_ref());
    command.args(["--secret", SECRET, "--listen", "127.0.0.1:0", "--ping", "1h", "--handshakes", "100000"]);
    ServerProcess::start(&mut command, "muster-node ready on ")
}

/// The requests of all handshakes of a measurement, each with a token of its terminal.
pub fn requests() -> Vec<String> {
    (0..HANDSHAKES).map(request_with_token).collect()
}

fn request_with_token(number: usize) -> String {
    let terminal = format!("bench-{number}");
    let authorization = format!("Authorization: Bearer {}\r\n", token(&terminal, NEVER));
    request(&format!("/ws?terminal_id={terminal}"), &authorization)
}

/// CPU per handshake in microseconds, with the end of its session.
pub async fn measure(server: &dyn Server, requests: &[String]) -> f64 {
    let before = server.cpu();
    knock_at(server.address(), requests, AT_ONCE).await;
    time::sleep(SETTLED).await;
    (server.cpu() - before).as_secs_f64() * 1e6 / requests.len() as f64
}

/// Makes these handshakes, so many at the same time, and closes each session.
pub async fn knock_at(address: SocketAddr, requests: &[String], at_once: usize) {
    let mut knocks = JoinSet::new();
    for requests in requests.chunks(requests.len().div_ceil(at_once)) {
        knocks.spawn(knock(address, requests.to_vec()));
    }
    knocks.join_all().await;
}

/// Makes these handshakes one after the other, and closes each session.
async fn knock(address: SocketAddr, requests: Vec<String>) {
    for request in requests {
        let mut stream = TcpStream::connect(address).await.expect("the server accepts");
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
        while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
            let count = stream.read(&mut buffer).await.expect("the server answers");
            assert!(count > 0, "the server closed the connection: {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buffer[..count]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    }
}
