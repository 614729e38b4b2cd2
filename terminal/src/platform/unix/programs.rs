//! Programs on Unix.

use std::{
    io::{self, PipeReader},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{self, ExitStatus},
};

use nix::unistd::alarm;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe::Receiver,
    process::{Child, Command},
};

use crate::platform::{CHUNK, Ending};

/// Gives a program its surroundings: the folder `/`, few variables, and a group of its own, so that what the program
/// starts can be ended with it.
pub fn prepare(command: &mut Command) {
    // The agent's own environment may name files that are none of the program's business.
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LANG", "C.UTF-8");
    command.current_dir("/").process_group(0);
}

/// A program, and the processes that it has started. Dropping this kills them.
pub struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// Returns the group of a program that was [prepared](prepare).
    pub fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)))
    }

    /// Lets the processes live that the program has left behind: it ended by itself, and may have meant to leave them.
    pub fn spare(&mut self) {
        self.0 = None;
    }

    /// Ends all processes of the group.
    pub fn end(&self, ending: Ending) {
        let signal = match ending {
            Ending::Gently => Signal::TERM,
            Ending::AtOnce => Signal::KILL,
        };
        if let Some(group) = self.0 {
            // An error means that all processes of the group are gone.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.end(Ending::AtOnce);
    }
}

/// Returns the signal that ended a program.
pub fn signal_of(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// The end of a pipe at which a program's output arrives.
pub struct PolledPipe(Receiver);

impl PolledPipe {
    /// Makes this end one that the runtime waits for.
    pub fn new(reader: PipeReader) -> io::Result<Self> {
        Ok(Self(Receiver::from_owned_fd(reader.into())?))
    }

    /// Reads once. Returns no bytes at the end of the output. A caller that drops the future loses nothing.
    pub async fn read(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; CHUNK];
        let count = self.0.read(&mut bytes).await.unwrap_or(0);
        bytes.truncate(count);
        bytes
    }
}

/// Starts a program in the place of this one. The kernel ends it after `within` seconds, whatever it does, unless it
/// [cancels that](cancel_end). Returns why it was not started.
pub fn replace_process(command: &mut process::Command, within: Option<u32>) -> io::Error {
    // The alarm goes on in the program that is started.
    if let Some(seconds) = within {
        alarm::set(seconds.max(1));
    }
    let error = command.exec();
    alarm::cancel();
    error
}

/// Lets this process live for longer than [`replace_process`] has said.
pub fn cancel_end() {
    alarm::cancel();
}
