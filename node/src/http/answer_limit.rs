//! A connection whose peer has a bounded time to read each answer. Without the bound, a peer that asks and does not
//! read would hold the connection, and a file descriptor, for as long as it likes. Reading from the connection gives
//! first the bytes that the node had read before.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{self, Sleep},
};

/// A connection. A write fails if the kernel could not take the whole answer within the limit, because the peer did not
/// read.
#[derive(Debug)]
pub struct LimitedStream {
    stream: TcpStream,
    /// The bytes that the node had read before, until hyper has read them.
    first: Bytes,
    limit: Duration,
    /// Runs while a part of an answer waits until the kernel takes it.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Set while the answer is an event stream, which never ends by itself and has limits of its own.
    is_unlimited: Arc<AtomicBool>,
}

impl LimitedStream {
    /// Returns a connection of which the node has read `first` already. The limit does not hold while `is_unlimited` is
    /// set.
    pub fn new(stream: TcpStream, first: Bytes, limit: Duration, is_unlimited: Arc<AtomicBool>) -> Self {
        Self { stream, first, limit, deadline: None, is_unlimited }
    }

    /// Returns the connection without the limit.
    pub fn into_inner(self) -> TcpStream {
        self.stream
    }

    /// Returns the result of a write of `whole` bytes. Starts the limit if the kernel did not take all, ends the limit
    /// if it did, and fails once the limit has passed.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        whole: usize,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) if count < whole => {
                self.start();
                Poll::Ready(Ok(count))
            }
            Poll::Ready(written) => {
                self.deadline = None;
                Poll::Ready(written)
            }
            Poll::Pending => {
                if self.is_unlimited.load(Ordering::Relaxed) {
                    return Poll::Pending;
                }
                ready!(self.start().as_mut().poll(context));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the answer was not read (--answer-timeout)")))
            }
        }
    }

    fn start(&mut self) -> &mut Pin<Box<Sleep>> {
        self.deadline.get_or_insert_with(|| Box::pin(time::sleep(self.limit)))
    }
}

impl AsyncRead for LimitedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let count = self.first.len().min(buffer.remaining());
            buffer.put_slice(&self.first.split_to(count));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for LimitedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, bytes.len(), written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let whole = slices.iter().map(|slice| slice.len()).sum();
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, whole, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
