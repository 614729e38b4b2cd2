//! Servers of files.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{self, HeaderMap},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// A server that files are fetched from and sent to.
pub struct WebServer {
    pub address: SocketAddr,
    state: Arc<WebState>,
}

/// What it has, and what it was sent.
struct WebState {
    files: Mutex<HashMap<String, Bytes>>,
    /// What is answered before a file is taken: one status each.
    refusals: Mutex<VecDeque<StatusCode>>,
    /// What was sent and taken.
    taken: Mutex<Vec<(HeaderMap, Bytes)>>,
    /// Each permit lets one file be read.
    reads: Semaphore,
}

impl WebServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reads = Semaphore::new(Semaphore::MAX_PERMITS);
        let state =
            Arc::new(WebState { files: Mutex::default(), refusals: Mutex::default(), taken: Mutex::default(), reads });
        let shared = state.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = shared.clone();
                let answer = service_fn(move |request| {
                    let state = state.clone();
                    async move { state.answer(request).await }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Self { address, state }
    }

    /// Serves a file, and returns its URL.
    pub fn serve(&self, name: &str, content: &[u8]) -> String {
        self.state.files.lock().unwrap().insert(format!("/{name}"), content.to_vec().into());
        format!("http://{}/{name}", self.address)
    }

    /// Answers so before it takes a file.
    pub fn refuse(&self, status: StatusCode) {
        self.state.refusals.lock().unwrap().push_back(status);
    }

    /// Reads no file, until [`Self::go_on`].
    pub fn hold(&self) {
        self.state.reads.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Reads one file.
    pub fn go_on(&self) {
        self.state.reads.add_permits(1);
    }

    /// The headers and the content of each file that it took.
    pub fn taken(&self) -> Vec<(HeaderMap, Bytes)> {
        self.state.taken.lock().unwrap().clone()
    }
}

impl WebState {
    async fn answer(&self, request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
        if request.method() == Method::PUT {
            return self.take(request).await;
        }
        let file = self.files.lock().unwrap().get(request.uri().path()).cloned().unwrap_or_default();
        let range = request.headers()[header::RANGE].to_str().unwrap();
        let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
        let range = format!("bytes {from}-{}/{}", file.len() - 1, file.len());
        let answer = Response::builder().status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, range);
        Ok(answer.body(Full::new(file.slice(from..))).unwrap())
    }

    async fn take(&self, request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
        self.reads.acquire().await.unwrap().forget();
        let (head, body) = request.into_parts();
        let content = body.collect().await?.to_bytes();
        let refusal = self.refusals.lock().unwrap().pop_front();
        if let Some(status) = refusal {
            return Ok(Response::builder().status(status).body(Full::new("the reason".into())).unwrap());
        }
        self.taken.lock().unwrap().push((head.headers, content));
        Ok(Response::new(Full::default()))
    }
}

/// A server of one file, which breaks its first answer off in the middle. With `holds` it sends nothing more on that connection instead.
pub async fn breaking_server(content: Vec<u8>, holds: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let rest = answer_head(&mut stream, &content).await;
            let sent = if number == 0 { rest.len() / 2 } else { rest.len() };
            stream.write_all(&rest[..sent]).await.unwrap();
            if holds {
                held.push(stream);
            }
        }
    });
    address
}

/// Reads a request, and sends the head of the answer. Returns what belongs behind it.
async fn answer_head<'a>(stream: &mut TcpStream, content: &'a [u8]) -> &'a [u8] {
    let mut request = vec![0; 4096];
    let count = stream.read(&mut request).await.unwrap();
    let request = String::from_utf8_lossy(&request[..count]).to_lowercase();
    let range = request.split("range: bytes=").nth(1).unwrap();
    let from: usize = range.split('-').next().unwrap().parse().unwrap();
    let (rest, last, size) = (&content[from..], content.len() - 1, content.len());
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {from}-{last}/{size}\r\ncontent-length: {}\r\n\r\n",
        rest.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    rest
}

/// The SHA-256 in hexadecimal digits.
pub fn sha256(content: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, content).as_ref())
}
