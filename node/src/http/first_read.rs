//! The first bytes of a connection, and whether they are a handshake. Nearly all handshakes come in one piece. Reading
//! such a handshake here costs a small part of what hyper costs, which is made for any number of requests.
//!
//! This module reads a handshake as hyper does, with the same parser and the same types. It leaves everything else to
//! hyper.

use std::io;

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, Uri,
    header::{self, HeaderName, HeaderValue},
};
use rustix::{
    buffer::spare_capacity,
    net::{RecvFlags, recv},
};
use tokio::{
    net::TcpStream,
    time::{self, Instant},
};

use super::{proxy_hop, route::is_websocket};

/// The most bytes of the first read: four times what a browser sends. hyper reads a longer head.
const FIRST_MAX: usize = 4096;
/// The most headers of a handshake that is read here. A browser sends some 15.
const HEADERS_MAX: usize = 48;

/// What came first on a connection.
#[derive(Debug)]
pub enum FirstRead {
    /// Nothing has come yet.
    Nothing,
    /// The peer has closed the connection, or the connection is broken.
    End,
    /// The head of a request has begun.
    Part(Bytes),
    /// Something that hyper must read: another request, or bytes that are no request.
    Other(Bytes),
    /// The whole head of a handshake.
    Handshake(Box<FirstHandshake>),
}

/// A handshake that came in one piece. It is a GET of the WebSocket's path in HTTP/1.1, without a body; nothing else of
/// it has been checked.
#[derive(Debug)]
pub struct FirstHandshake {
    /// The request.
    pub request: Request<()>,
    /// The bytes of the head, and what the terminal has sent after the head.
    pub bytes: Bytes,
    /// How many bytes the head has.
    pub length: usize,
}

/// Takes the bytes that have come on a new connection by now. `ws_path` is the path of the WebSocket.
pub fn take(stream: &TcpStream, ws_path: &str) -> FirstRead {
    let mut bytes = Vec::with_capacity(FIRST_MAX);
    // Reads without the runtime, which would first ask the system whether there is something to read.
    let taken = recv(stream, spare_capacity(&mut bytes), RecvFlags::DONTWAIT);
    read(taken.map_err(io::Error::from).map(|_| bytes), ws_path)
}

/// Waits until something comes, and takes it. Returns [`FirstRead::End`] if nothing comes until `head_by`.
pub async fn wait(stream: &TcpStream, ws_path: &str, head_by: Instant) -> FirstRead {
    let come = async {
        loop {
            let mut bytes = Vec::with_capacity(FIRST_MAX);
            let taken = match stream.readable().await {
                Ok(()) => stream.try_read_buf(&mut bytes),
                Err(error) => Err(error),
            };
            match read(taken.map(|_| bytes), ws_path) {
                FirstRead::Nothing => {}
                first => return first,
            }
        }
    };
    time::timeout_at(head_by, come).await.unwrap_or(FirstRead::End)
}

fn read(taken: io::Result<Vec<u8>>, ws_path: &str) -> FirstRead {
    match taken {
        Ok(bytes) if bytes.is_empty() => FirstRead::End,
        Ok(bytes) => parse(bytes.into(), ws_path),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => FirstRead::Nothing,
        Err(_) => FirstRead::End,
    }
}

/// Returns what the first bytes are.
pub(super) fn parse(bytes: Bytes, ws_path: &str) -> FirstRead {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(&bytes) {
        Ok(httparse::Status::Partial) if bytes.len() < FIRST_MAX => FirstRead::Part(bytes),
        Ok(httparse::Status::Complete(length)) => match handshake(&parsed, &bytes, ws_path) {
            Some(request) => FirstRead::Handshake(Box::new(FirstHandshake { request, bytes, length })),
            None => FirstRead::Other(bytes),
        },
        _ => FirstRead::Other(bytes),
    }
}

/// Returns the request, if it is a handshake without a body. None if a proxy asks in it which node it belongs to,
/// because such a proxy sends more requests on the connection.
fn handshake(parsed: &httparse::Request<'_, '_>, bytes: &Bytes, ws_path: &str) -> Option<Request<()>> {
    if (parsed.method, parsed.version) != (Some("GET"), Some(1)) {
        return None;
    }
    let uri = Uri::from_maybe_shared(bytes.slice_ref(parsed.path?.as_bytes())).ok()?;
    let headers = fields(parsed.headers, bytes)?;
    let body = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::EXPECT];
    let has_body = body.iter().any(|name| headers.contains_key(name));
    if has_body || !is_websocket(uri.path(), ws_path) || proxy_hop::asks(&headers) {
        return None;
    }
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Some(request)
}

/// Returns the headers as hyper has them. None if hyper would refuse one of them.
fn fields(parsed: &[httparse::Header<'_>], bytes: &Bytes) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(parsed.len());
    for field in parsed {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)).ok()?;
        headers.append(name, value);
    }
    Some(headers)
}
