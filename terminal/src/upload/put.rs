//! One attempt to send a file.

use std::{pin::pin, sync::atomic::Ordering, time::Duration};

use anyhow::anyhow;
use http_body_util::{BodyExt, Limited};
use hyper::{Method, Request, Response, body::Incoming, header, header::HeaderMap};
use serde_json::{Value, json};
use tokio::time;

use super::{body::FileBody, source::AllowedFile};
use crate::transfer::{FileServer, SILENCE, TransferError};

/// How often progress is reported, and how often this looks whether anything moves.
const LOOK: Duration = Duration::from_secs(1);
/// How much of an answer that refuses the file is reported, in bytes: mostly it says why.
const ANSWER_MAX: usize = 512;

/// A file on its way to a server.
pub struct FilePut<'a> {
    server: &'a FileServer,
    headers: &'a HeaderMap,
    source: AllowedFile,
}

impl<'a> FilePut<'a> {
    /// Prepares an attempt with these further headers.
    pub fn new(server: &'a FileServer, headers: &'a HeaderMap, source: AllowedFile) -> Self {
        Self { server, headers, source }
    }

    /// Sends the file, and waits for the answer.
    pub async fn run<F: Future<Output = ()>>(self, mut progress: impl FnMut(Value) -> F) -> Result<(), TransferError> {
        let bytes = self.source.bytes;
        let (body, sent) = FileBody::new(self.source);
        let mut sender = self.server.connect().await.map_err(TransferError::passing)?;
        let mut request = self.server.request(Method::PUT).body(body).map_err(TransferError::last)?;
        add_headers(&mut request, self.headers, bytes);
        let mut answered = pin!(sender.send_request(request));
        let (mut before, mut quiet) = (0, Duration::ZERO);
        let answer = loop {
            tokio::select! {
                answer = &mut answered => break answer.map_err(TransferError::passing)?,
                () = time::sleep(LOOK) => {}
            }
            let now = sent.load(Ordering::Relaxed);
            quiet = if now == before { quiet + LOOK } else { Duration::ZERO };
            if quiet >= SILENCE {
                return Err(TransferError::passing(anyhow!("nothing moved for {SILENCE:?}")));
            }
            if now != before {
                progress(json!({ "sent": now, "bytes": bytes })).await;
                before = now;
            }
        };
        if answer.status().is_success() { Ok(()) } else { Err(refusal(answer).await) }
    }
}

fn add_headers(request: &mut Request<FileBody>, further: &HeaderMap, bytes: u64) {
    request.headers_mut().insert(header::CONTENT_LENGTH, bytes.into());
    for (name, value) in further {
        request.headers_mut().insert(name, value.clone());
    }
}

/// Returns why a server did not take the file, with the beginning of what it says.
async fn refusal(answer: Response<Incoming>) -> TransferError {
    let error = TransferError::of_answer(&answer);
    let text = time::timeout(SILENCE, Limited::new(answer.into_body(), 64 << 10).collect()).await;
    let Ok(Ok(text)) = text else { return error };
    let text = text.to_bytes();
    let text = String::from_utf8_lossy(&text[..text.len().min(ANSWER_MAX)]).trim().to_owned();
    if text.is_empty() {
        return error;
    }
    TransferError { why: anyhow!("{}: {text}", error.why), ..error }
}
