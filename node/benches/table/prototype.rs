//! The bare prototype: the least that a server of a cluster does for a handshake. It stores in Redis who came, in one round trip, answers with
//! the same bytes, and holds the connection. It checks nothing.

use redis::aio::MultiplexedConnection;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
/// The largest head of a request, in bytes.
const HEAD_MAX: usize = 4096;
/// The key of the sessions in Redis.
const SESSIONS: &str = "sessions";

/// Serves until the process is killed. Prints its address once it listens.
pub async fn serve(redis: &str) {
    let client = redis::Client::open(redis).expect("a URL of Redis");
    let store = client.get_multiplexed_async_connection().await.expect("Redis answers");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    println!("{}", listener.local_addr().expect("it is bound"));
    loop {
        let (stream, _) = listener.accept().await.expect("Nginx connects");
        tokio::spawn(session(stream, store.clone()));
    }
}

/// Lets a terminal in, and waits until it leaves.
async fn session(mut stream: TcpStream, mut store: MultiplexedConnection) {
    let (mut head, mut length) = ([0; HEAD_MAX], 0);
    while !head[..length].ends_with(b"\r\n\r\n") {
        match stream.read(&mut head[length..]).await {
            Ok(count @ 1..) => length += count,
            // Nginx left, or the head is too large.
            _ => return,
        }
    }
    let terminal = terminal(&head[..length]).to_vec();
    let mut joins = redis::cmd("HSET");
    let joined = joins.arg(SESSIONS).arg(&terminal).arg("here").query_async::<()>(&mut store).await;
    joined.expect("Redis stores a session");
    if stream.write_all(ANSWER).await.is_err() {
        return;
    }
    let mut rest = [0; 64];
    while let Ok(1..) = stream.read(&mut rest).await {}
    let left = redis::cmd("HDEL").arg(SESSIONS).arg(&terminal).query_async::<()>(&mut store).await;
    left.expect("Redis removes a session");
}

/// The first line of a request, which names the terminal.
fn terminal(head: &[u8]) -> &[u8] {
    head.split(|byte| *byte == b'\r').next().unwrap_or_default()
}
