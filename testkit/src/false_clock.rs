//! The clock of a program, set by a test (libfaketime).

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The clock of a program that is started with it. It runs as the real one, ahead or behind by what the test says.
pub struct FalseClock {
    file: PathBuf,
}

impl FalseClock {
    /// Has a program read its clock from a file in `folder`. It tells the right time until it is [set](Self::set). `None` if
    /// libfaketime is not installed.
    ///
    /// # Panics
    /// If it is missing where `CI` is set: a gate that leaves something out must not pass.
    pub fn of(command: &mut Command, folder: &Path) -> Option<Self> {
        let Some(library) = library() else {
            assert!(env::var_os("CI").is_none(), "libfaketime is missing: apt-get install libfaketime");
            eprintln!("libfaketime is missing (apt-get install libfaketime): this test tests nothing");
            return None;
        };
        let clock = Self { file: folder.join("clock") };
        clock.set(0);
        // libfaketime waits for itself when jemalloc asks for the time before libfaketime is ready. With the allocator of libc in
        // front of jemalloc nobody asks that early. The monotonic clock runs on: the server's own timers go by it.
        command
            .env("LD_PRELOAD", format!("{}:libc.so.6", library.display()))
            .env("FAKETIME_TIMESTAMP_FILE", &clock.file);
        command.envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"), ("DONT_FAKE_MONOTONIC", "1")]);
        Some(clock)
    }

    /// Sets the clock so many seconds ahead of the real one.
    pub fn set(&self, seconds_ahead: i64) {
        // Replaced in one step: the program may read it at any time.
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{seconds_ahead:+}\n")).unwrap();
        fs::rename(next, &self.file).unwrap();
    }
}

/// libfaketime, where Debian's package puts it.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders.map(|folder| folder.path().join("faketime/libfaketime.so.1")).find(|library| library.exists())
}
