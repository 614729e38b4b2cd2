//! A connection that can discard what is written to it. It makes a terminal that reads and never answers, not even a
//! ping.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use muster_net::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection whose writes can be discarded.
#[derive(Debug)]
pub struct MuteStream {
    /// The underlying connection.
    pub stream: Stream,
    /// True if writes are discarded and reported as successful.
    pub mute: bool,
}

impl AsyncRead for MuteStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for MuteStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.mute { Poll::Ready(Ok(bytes.len())) } else { Pin::new(&mut self.stream).poll_write(cx, bytes) }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
