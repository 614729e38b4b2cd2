//! Programs on Windows.

use std::{
    env,
    io::{self, PipeReader, Read},
    path::PathBuf,
    process::{self, ExitStatus, Stdio},
    thread,
};

use tokio::{
    process::{Child, Command},
    sync::mpsc,
};

use crate::platform::{CHUNK, Ending};

/// The variables that programs of Windows can't do without.
const VARIABLES: [&str; 6] = ["SystemRoot", "SystemDrive", "ComSpec", "PATHEXT", "TEMP", "TMP"];
/// The flag of a process that opens no window.
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// Gives a program its surroundings: the folder of the system, few variables, and no window.
pub fn prepare(command: &mut Command) {
    // The agent's own environment may name files that are none of the program's business.
    command.env_clear().env("PATH", system_folder()).current_dir(system_folder()).creation_flags(CREATE_NO_WINDOW);
    command.envs(VARIABLES.iter().filter_map(|name| Some((name, env::var_os(name)?))));
}

fn system_folder() -> PathBuf {
    env::var_os("SystemRoot").map_or_else(|| r"C:\Windows".into(), PathBuf::from).join("System32")
}

/// A program, and the processes that it has started. Dropping this ends them.
pub struct ProcessTree(Option<u32>);

impl ProcessTree {
    /// Returns the tree of a program that runs.
    pub fn of(child: &Child) -> Self {
        Self(child.id())
    }

    /// Lets the processes live that the program has left behind: it ended by itself, and may have meant to leave them.
    pub fn spare(&mut self) {
        self.0 = None;
    }

    /// Ends all processes at once: a program without a window can't be asked to end.
    pub fn end(&self, _: Ending) {
        let Some(id) = self.0 else { return };
        let mut command = process::Command::new(system_folder().join("taskkill.exe"));
        command.args(["/F", "/T", "/PID", &id.to_string()]);
        // This waits for the command: once the program is gone, nobody finds what it has started. An error means that
        // the tree is gone.
        let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

impl Drop for ProcessTree {
    fn drop(&mut self) {
        self.end(Ending::AtOnce);
    }
}

/// Returns `None`: Windows has no signals.
pub fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}

/// The end of a pipe at which a program's output arrives. A thread reads it, since the runtime can't wait for such a
/// pipe.
pub struct ThreadedPipe(mpsc::Receiver<Vec<u8>>);

impl ThreadedPipe {
    /// Starts the thread. It ends with the output, or when nobody reads the output any more.
    pub fn new(mut reader: PipeReader) -> io::Result<Self> {
        let (sender, chunks) = mpsc::channel(1);
        thread::Builder::new().name("output".into()).spawn(move || {
            let mut bytes = [0; CHUNK];
            while let Ok(count @ 1..) = reader.read(&mut bytes)
                && sender.blocking_send(bytes[..count].to_vec()).is_ok()
            {}
        })?;
        Ok(Self(chunks))
    }

    /// Reads once. Returns no bytes at the end of the output. A caller that drops the future loses nothing.
    pub async fn read(&mut self) -> Vec<u8> {
        self.0.recv().await.unwrap_or_default()
    }
}

/// Returns an error: Windows starts no program in the place of another.
pub fn replace_process(_: &mut process::Command, _: Option<u32>) -> io::Error {
    io::ErrorKind::Unsupported.into()
}

/// Does nothing: [`replace_process`] set no end.
pub fn cancel_end() {}
