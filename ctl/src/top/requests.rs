//! What the person at the screen asks for, by keys and signals.

use std::{
    future::pending,
    io::{self, IsTerminal, Read},
    thread,
};

use rustix::process::Signal as SignalNumber;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

/// How many keys are read ahead. More wait in the system.
const KEYS: usize = 16;

/// What is asked of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScreenRequest {
    /// To end: `q`, Ctrl-C or SIGTERM, or the screen is gone.
    End,
    /// To give way to other programs for a while: Ctrl-Z.
    Suspend,
    /// To draw again: the screen has another size.
    Redraw,
}

/// All that requests come from.
pub struct ScreenRequests {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    suspend: Signal,
    resize: Signal,
    /// The keys. `None` if standard input is no keyboard.
    keys: Option<mpsc::Receiver<u8>>,
}

impl ScreenRequests {
    /// Listens to keys and signals, none of which ends the process any more.
    ///
    /// # Errors
    /// If the system has no room for a handler or a thread.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            suspend: signal(SignalKind::from_raw(SignalNumber::TSTP.as_raw()))?,
            resize: signal(SignalKind::window_change())?,
            keys: if io::stdin().is_terminal() { Some(keys()?) } else { None },
        })
    }

    /// Returns the next request.
    pub async fn next(&mut self) -> ScreenRequest {
        loop {
            let keys = self.keys.as_mut();
            let key = async {
                match keys {
                    Some(keys) => keys.recv().await,
                    None => pending().await,
                }
            };
            return tokio::select! {
                _ = self.interrupt.recv() => ScreenRequest::End,
                _ = self.terminate.recv() => ScreenRequest::End,
                _ = self.hang_up.recv() => ScreenRequest::End,
                _ = self.suspend.recv() => ScreenRequest::Suspend,
                _ = self.resize.recv() => ScreenRequest::Redraw,
                key = key => match key {
                    None | Some(b'q' | b'Q') => ScreenRequest::End,
                    Some(_) => continue,
                },
            };
        }
    }
}

/// Returns the keys. A thread of its own reads them, since a read from a keyboard can't be given up. The keys end with
/// standard input.
fn keys() -> io::Result<mpsc::Receiver<u8>> {
    let (sender, keys) = mpsc::channel(KEYS);
    let read = move || {
        for key in io::stdin().lock().bytes() {
            let Ok(key) = key else { return };
            if sender.blocking_send(key).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("keys".into()).spawn(read)?;
    Ok(keys)
}
