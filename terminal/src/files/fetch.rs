//! Fetches a file by HTTP/1.1, from where the last fetch ended.

use std::path::Path;

use anyhow::Context;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Method, Response, StatusCode,
    body::{Bytes, Incoming},
    header,
};
use muster_client::TlsFiles;
use muster_net::Tls;
use tokio::time;

use super::{
    arriving::{ArrivingFile, WholeFile},
    request::FileRequest,
};
use crate::transfer::{FileServer, RetryPause, SILENCE, TransferError};

/// Fetches a file into a folder, and tries again until the file is whole or can't become so. Returns the file, which
/// has no name yet, and how many bytes of it had arrived before.
pub async fn fetch(folder: &Path, request: &FileRequest, tls: &TlsFiles) -> anyhow::Result<(WholeFile, u64)> {
    let server = FileServer::new(&request.url, Tls::load(tls)?)?;
    let mut arriving = ArrivingFile::open(folder, request).await.with_context(|| folder.display().to_string())?;
    let (resumed_at, mut pause) = (arriving.len(), RetryPause::new());
    while arriving.len() < request.size {
        let before = arriving.len();
        match fetch_rest(&server, &mut arriving).await {
            Ok(()) => {}
            Err(error) if error.is_final => return Err(error.why),
            Err(error) => tracing::warn!(bytes = arriving.len(), "the file is fetched again: {:#}", error.why),
        }
        if arriving.len() > before {
            pause.reset();
        }
        if arriving.len() < request.size {
            pause.wait().await;
        }
    }
    Ok((arriving.finish().await?, resumed_at))
}

/// Fetches what is missing, in one attempt.
async fn fetch_rest(server: &FileServer, arriving: &mut ArrivingFile) -> Result<(), TransferError> {
    let mut answer = ask(server, arriving.len()).await.map_err(TransferError::passing)?;
    match answer.status() {
        StatusCode::PARTIAL_CONTENT if begins_at(&answer) == Some(arriving.len()) => {}
        // The server knows no ranges, or sends another range: what has arrived is dropped.
        StatusCode::OK => arriving.restart().await.map_err(TransferError::last)?,
        _ => return Err(TransferError::of_answer(&answer)),
    }
    while let Some(frame) = next_frame(&mut answer).await.map_err(TransferError::passing)? {
        arriving.push(&frame).await.map_err(TransferError::last)?;
    }
    Ok(())
}

async fn ask(server: &FileServer, from: u64) -> anyhow::Result<Response<Incoming>> {
    let mut sender = server.connect().await?;
    let request = server.request(Method::GET).header(header::RANGE, format!("bytes={from}-"));
    let asked = sender.send_request(request.body(Empty::<Bytes>::new())?);
    Ok(time::timeout(SILENCE, asked).await.context("no answer in time")??)
}

/// Returns the next piece of the body, and `None` at its end.
async fn next_frame(answer: &mut Response<Incoming>) -> anyhow::Result<Option<Bytes>> {
    loop {
        let frame = time::timeout(SILENCE, answer.body_mut().frame()).await.context("nothing came for 20 s")?;
        match frame.transpose()?.map(|frame| frame.into_data()) {
            Some(Ok(bytes)) => return Ok(Some(bytes)),
            Some(Err(_)) => {}
            None => return Ok(None),
        }
    }
}

/// Returns where the range of an answer begins.
fn begins_at(answer: &Response<Incoming>) -> Option<u64> {
    let range = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}
