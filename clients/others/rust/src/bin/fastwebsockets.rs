//! fastwebsockets, on hyper and tokio-rustls.

use std::future::Future;

use fastwebsockets::{FragmentCollector, Frame, OpCode, WebSocketError, handshake};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::{Request, Uri};
use others::{line, say, text};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

/// Runs what hyper starts.
struct Spawn;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawn {
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url: Uri = others::url().parse().expect("a URL");
    let (name, value) = others::header();
    let request = Request::get(url.path_and_query().expect("a path").as_str())
        .header("host", url.authority().expect("a host").as_str())
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", handshake::generate_key())
        .header(name, value)
        .body(Empty::<Bytes>::new())
        .expect("a request");
    let session = match handshake::client(&Spawn, request, line::connect(&url).await).await {
        Ok((session, _)) => session,
        Err(WebSocketError::InvalidStatusCode(status)) => {
            return say("refused", json!({"status": status, "body": null}));
        }
        Err(error) => return say("error", json!({"text": error.to_string()})),
    };
    say("open", json!({}));
    let mut session = FragmentCollector::new(session);
    send(&mut session, "hello").await;
    loop {
        match session.read_frame().await {
            Ok(Frame { opcode: OpCode::Text, payload, .. }) => {
                if let Some(answer) = text(std::str::from_utf8(&payload).expect("UTF-8")) {
                    send(&mut session, &answer).await;
                }
            }
            Ok(Frame { opcode: OpCode::Close, payload, .. }) => return closed(&payload),
            Ok(_) => {}
            Err(error) => return say("error", json!({"text": error.to_string()})),
        }
    }
}

async fn send<S: AsyncRead + AsyncWrite + Unpin>(session: &mut FragmentCollector<S>, text: &str) {
    // What the node closes is told by the next read.
    let _ = session.write_frame(Frame::text(text.as_bytes().into())).await;
}

fn closed(payload: &[u8]) {
    match payload.split_first_chunk::<2>() {
        Some((code, reason)) => {
            say("close", json!({"code": u16::from_be_bytes(*code), "reason": String::from_utf8_lossy(reason)}));
        }
        None => say("close", json!({"code": null, "reason": null})),
    }
}
