//! What the agent does in one way on Unix and in another on Windows.
//!
//! | What | Unix | Windows |
//! |---|---|---|
//! | [`StopRequests`] | SIGTERM and SIGINT | Ctrl-C, and the end of the window, of the user's session and of the system |
//! | [`ProgramGroup`] | a process group, which gets SIGTERM and then SIGKILL | the tree of processes, which is ended at once |
//! | [`OutputPipe`] | a pipe that the runtime waits for | a pipe that a thread reads |
//! | [`CONFIG`] and [`STATE`] | `/etc/muster`, `/var/lib/muster-terminal` | `C:\ProgramData\Muster` |
//! | what other users may read | modes | what the rights of the folder say |
//! | the sections `upload` and `update` | `openat2`, `exec` and `alarm` | none: the settings refuse them |

use std::path::PathBuf;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use self::unix::{
    CONFIG, STATE, UnixSignals as StopRequests, boot_id,
    files::{disk_used, has_name, make_private, make_runnable, open_beneath, private_file, sync_folder},
    host_name,
    programs::{
        PolledPipe as OutputPipe, ProcessGroup as ProgramGroup, cancel_end, prepare, replace_process, signal_of,
    },
    seconds_since_boot,
};
#[cfg(windows)]
pub use self::windows::{
    CONFIG, ConsoleEvents as StopRequests, STATE, boot_id,
    files::{disk_used, has_name, make_private, make_runnable, open_beneath, private_file, sync_folder},
    host_name,
    programs::{
        ProcessTree as ProgramGroup, ThreadedPipe as OutputPipe, cancel_end, prepare, replace_process, signal_of,
    },
    seconds_since_boot,
};

/// Returns the default of the setting `state`: [`STATE`].
pub fn state_folder() -> PathBuf {
    STATE.into()
}

/// The most bytes that are read from an [`OutputPipe`] at a time.
const CHUNK: usize = 4096;

/// How a program is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The program may clean up first.
    Gently,
    /// The program can't refuse.
    AtOnce,
}
