//! A connection whose peer has a bounded time to read each answer. A peer that asks and does not read would hold the connection, and a
//! file descriptor, for as long as it likes. What was read of it before is read first.

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

/// A connection. A write fails when the kernel could not take an answer whole within the limit.
#[derive(Debug)]
pub struct LimitedStream {
    stream: TcpStream,
    /// What was read before, until it is read again.
    first: Bytes,
    limit: Duration,
    /// Runs while something of an answer waits to be taken.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Set while the answer is a stream, which never ends by itself and has limits of its own.
    is_unlimited: Arc<AtomicBool>,
}

impl LimitedStream {
    /// A connection of which `first` was read before. The limit does not hold while `is_unlimited` is set.
    pub fn new(stream: TcpStream, first: Bytes, limit: Duration, is_unlimited: Arc<AtomicBool>) -> Self {
        Self { stream, first, limit, deadline: None, is_unlimited }
    }

    /// The connection without the limit.
    pub fn into_inner(self) -> TcpStream {
        self.stream
    }

    /// Looks at what became of a write of `whole` bytes.
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
