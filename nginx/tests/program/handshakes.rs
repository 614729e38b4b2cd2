//! Which connections to a node Nginx uses for handshakes.

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use muster_testkit::{http::head_of_answer, wait::until};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
};

use crate::proxy::{Proxy, status};

const HANDSHAKES: usize = 20;
/// Each worker of Nginx has connections of its own.
const WORKERS: usize = 2;

/// The questions about handshakes that a node got, and the connections over which they came.
#[derive(Default)]
struct Asked {
    questions: AtomicUsize,
    connections: AtomicUsize,
}

/// A node that takes each handshake, and refuses it with 401.
async fn node(asked: Arc<Asked>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, address, asked.clone()));
        }
    });
    address
}

async fn serve(stream: TcpStream, address: SocketAddr, asked: Arc<Asked>) {
    let (mut stream, mut has_asked) = (BufStream::new(stream), false);
    while let Some(head) = read_head(&mut stream).await {
        let is_question = head.starts_with("GET /ws") && !head.contains("X-Reroute");
        if is_question {
            asked.questions.fetch_add(1, Ordering::Relaxed);
            asked.connections.fetch_add(usize::from(!has_asked), Ordering::Relaxed);
            has_asked = true;
        }
        let answer = match is_question {
            true => format!("HTTP/1.1 200 OK\r\nX-Accel-Redirect: /_node/{address}\r\nContent-Length: 0\r\n\r\n"),
            false => "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".into(),
        };
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.flush().await;
        if !is_question {
            return;
        }
    }
}

/// Reads the head of a request. `None` when the connection has ended.
async fn read_head(stream: &mut BufStream<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

#[tokio::test]
async fn a_worker_asks_about_handshakes_over_one_connection() {
    let asked = Arc::new(Asked::default());
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("nodes");
    fs::write(&list, node(asked.clone()).await.to_string()).unwrap();
    let (_proxy, address) = Proxy::ready(&["--nodes-from", &format!("file:{}", list.display())]).await;
    until("Nginx knows the node", async || status(address, "/readyz").await == 401).await;
    for _ in 0..HANDSHAKES {
        let handshake = "GET /ws?terminal_id=t1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
        let head = head_of_answer(address, handshake).await;
        assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    }
    assert_eq!(asked.questions.load(Ordering::Relaxed), HANDSHAKES);
    let connections = asked.connections.load(Ordering::Relaxed);
    assert!((1..=WORKERS).contains(&connections), "{connections} connections");
}
