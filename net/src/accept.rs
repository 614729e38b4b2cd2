//! Accepts connections, and still one at a time when no file descriptor is left.
//!
//! A process without descriptors accepts nothing, so whoever asks it what is wrong would wait for ever. An [`Acceptor`]
//! holds a spare descriptor: it gives that up for one connection, and takes another when the connection is closed.

use std::{fs::File, io, net::SocketAddr};

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};

/// A listener with a spare descriptor.
#[derive(Debug)]
pub struct Acceptor {
    listener: TcpListener,
    /// The spare descriptor. `None` while a connection has it, or when another part of the process has taken it.
    spare: Option<File>,
}

/// A connection that was accepted.
#[derive(Debug)]
pub struct AcceptedConnection {
    /// The connection.
    pub stream: TcpStream,
    /// The address of the other end.
    pub peer: SocketAddr,
    /// Whether the connection has the spare descriptor, since no other was left. The caller must close it before the
    /// next call, and soon.
    pub is_last: bool,
}

impl Acceptor {
    /// Makes an acceptor of the connections that come to `listener`.
    pub fn new(listener: TcpListener) -> Self {
        Self { listener, spare: spare().ok() }
    }

    /// Waits for the next connection. A caller that drops the future loses nothing.
    ///
    /// # Errors
    /// If the connection can't be accepted. The caller should wait a moment before the next call, which most likely
    /// fails too.
    pub async fn accept(&mut self) -> io::Result<AcceptedConnection> {
        if self.spare.is_none() {
            self.spare = spare().ok();
        }
        let (accepted, is_last) = match self.listener.accept().await {
            Err(error) if is_out_of_files(&error) && self.spare.take().is_some() => {
                (self.listener.accept().await?, true)
            }
            accepted => (accepted?, false),
        };
        let (stream, peer) = accepted;
        Ok(AcceptedConnection { stream, peer, is_last })
    }
}

/// Returns whether this process can open no file now. Tries to open one.
pub fn out_of_files() -> bool {
    spare().is_err_and(|error| is_out_of_files(&error))
}

fn spare() -> io::Result<File> {
    File::open("/dev/null")
}

/// Returns whether an error says that the process (EMFILE) or the host (ENFILE) has no descriptor left.
fn is_out_of_files(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|full| error.raw_os_error() == Some(full.raw_os_error()))
}
