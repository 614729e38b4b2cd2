//! Which sockets of a shard are ready: one epoll for all of them, which the runtime watches as one descriptor.
//!
//! The epoll is level-triggered: a socket is read once each time the epoll reports it, and the epoll reports it again,
//! after the others, while there is more to read.

use std::{
    io,
    mem::MaybeUninit,
    net::TcpStream,
    os::fd::{AsFd, OwnedFd},
};

use rustix::event::{
    Timespec,
    epoll::{self, CreateFlags, EventData, EventFlags},
};
use tokio::io::unix::AsyncFd;

use crate::shard::SessionKey;

/// The most sockets of one portion. The shard does something else between two portions.
const PORTION: usize = 256;
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// What a socket can be ready for. A broken connection is reported whatever the socket is watched for.
pub type SocketReadiness = EventFlags;

/// The epoll of one shard.
pub struct Poller {
    epoll: AsyncFd<OwnedFd>,
    /// The sockets that are ready, each with what it is ready for.
    ready: Vec<(SessionKey, SocketReadiness)>,
}

impl Poller {
    /// Returns a poller without sockets. Fails if the system has no descriptor left. Must be called in a runtime.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        // SAFETY: the descriptor must stay the same and open until the `AsyncFd` is dropped. An `OwnedFd` closes its
        // descriptor when it is dropped and has no way to change it; the `AsyncFd` owns the `OwnedFd` and gives out
        // shared references only. A shard that polls its own sockets is what lets a session do without a task.
        let epoll = unsafe { AsyncFd::register(epoll)? };
        Ok(Self { epoll, ready: Vec::with_capacity(PORTION) })
    }

    /// Watches a socket for `wanted` in place of `was`. A socket that is watched for nothing is never reported, even if
    /// its peer has gone. Fails if the system refuses the change.
    pub fn watch(
        &self,
        stream: &TcpStream,
        key: SessionKey,
        was: SocketReadiness,
        wanted: SocketReadiness,
    ) -> io::Result<()> {
        let (epoll, stream, data) = (self.epoll.get_ref().as_fd(), stream.as_fd(), EventData::new_u64(key as u64));
        match (was.is_empty(), wanted.is_empty()) {
            _ if was == wanted => return Ok(()),
            (true, _) => epoll::add(epoll, stream, data, wanted)?,
            (false, true) => epoll::delete(epoll, stream)?,
            (false, false) => epoll::modify(epoll, stream, data, wanted)?,
        }
        Ok(())
    }

    /// Waits until sockets are ready; [`take`](Self::take) then returns them. Dropping the future loses no socket.
    pub async fn ready(&mut self) -> io::Result<()> {
        loop {
            let mut guard = self.epoll.readable().await?;
            let polled = guard.try_io(|epoll| {
                let mut portion = [MaybeUninit::uninit(); PORTION];
                let (events, _) = epoll::wait(epoll.get_ref(), &mut portion, Some(&AT_ONCE))?;
                self.ready.extend(events.iter().map(|event| (event.data.u64() as SessionKey, event.flags)));
                if self.ready.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            // Without a ready socket the runtime forgets that the epoll was readable.
            if let Ok(result) = polled {
                return result;
            }
        }
    }

    /// Returns the next ready socket, and what it is ready for.
    pub fn take(&mut self) -> Option<(SessionKey, SocketReadiness)> {
        self.ready.pop()
    }
}
