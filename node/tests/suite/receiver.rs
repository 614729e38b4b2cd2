//! A receiver of notices: a small HTTP server that keeps what it was sent.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use muster_testkit::wait::until;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::cluster::Cluster;

/// The flags with which nodes post to this host, and record the bodies of calls.
pub const TO_LOOPBACK: [&str; 5] =
    ["--notice-to", "127.0.0.0/8", "--audit-payloads", "--secret", muster_testkit::token::SECRET];
/// The secret of notices that these tests set.
pub const SECRET: &str = "a-secret-of-notices";

/// One request.
#[derive(Debug, Clone)]
pub struct Post {
    /// The request line and the headers, in lower case.
    pub head: String,
    /// The body as it was sent.
    pub text: String,
    /// The body.
    pub body: Value,
}

impl Post {
    /// A value of a header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
    }
}

/// The server. It ends with its runtime.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    posts: Arc<Mutex<Vec<Post>>>,
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Receiver {
    /// Starts a receiver whose answers have these statuses in turn, and 200 after that. An answer with the status 0 never comes.
    pub async fn start(answers: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let posts = Arc::<Mutex<Vec<Post>>>::default();
        let answers = Arc::new(Mutex::new(answers.to_vec()));
        let (kept, next) = (posts.clone(), answers.clone());
        tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, next) = (kept.clone(), next.clone());
                open.spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let Some(post) = read(&mut stream).await else { return };
                    kept.lock().unwrap().push(post);
                    let status = if next.lock().unwrap().is_empty() { 200 } else { next.lock().unwrap().remove(0) };
                    if status == 0 {
                        std::future::pending::<()>().await;
                    }
                    let answer = format!("HTTP/1.1 {status} It\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nok");
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { address, posts, answers }
    }

    /// The URL of notices for it.
    pub fn url(&self) -> String {
        format!("http://{}/hook?to=ops", self.address)
    }

    /// What it was sent.
    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }

    /// The answers that it has still to give before it answers 200.
    pub fn answers_left(&self) -> usize {
        self.answers.lock().unwrap().len()
    }

    /// Waits for the first post of a kind.
    pub async fn first(&self, kind: &str) -> Post {
        let found = || self.posts().into_iter().find(|post| post.body["kind"] == kind);
        until(&format!("{kind} is heard"), async || found().is_some()).await;
        found().unwrap()
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Post> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let length: usize = head.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.ok()?;
    let text = String::from_utf8(bytes).ok()?;
    Some(Post { head, body: serde_json::from_str(&text).ok()?, text })
}

/// Sets a notice about these kinds. Returns the answer.
pub async fn set(cluster: &Cluster, name: &str, url: &str, on: &[&str], fields: Value) -> Value {
    let mut body = json!({ "url": url, "on": on, "secret": SECRET });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let (status, set) = cluster.ask("PUT", &format!("/v1/notices/{name}"), &body.to_string()).await;
    assert_eq!(status, 200, "{set}");
    set
}

/// The attempts to deliver messages of a notice, newest first.
pub async fn attempts(cluster: &Cluster, name: &str) -> Vec<Value> {
    cluster.get(&format!("/v1/notices/{name}/attempts")).await["attempts"].as_array().unwrap().clone()
}
