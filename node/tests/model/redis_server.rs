//! The Redis server of the model: its clock stands still until it is moved (libfaketime), and it can be killed and come
//! back with everything that it acknowledged.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use jiff::Timestamp;
use muster_testkit::TestRedis;

use crate::clock::StillClock;

/// The file of the clock.
const CLOCK: &str = "clock";

pub struct StillRedis {
    pub redis: TestRedis,
    /// Whether the clock can be moved: whether there is the library that moves it. Without it the clock runs.
    pub moves: bool,
}

/// libfaketime, where Debian's package puts it.
///
/// # Panics
/// If it is missing where `CI` is set: a gate that leaves something out must not pass.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let found = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1")).find(|library| library.exists());
    if found.is_none() {
        assert!(env::var_os("CI").is_none(), "libfaketime is missing: apt-get install libfaketime");
        eprintln!("libfaketime is missing (apt-get install libfaketime): the clock is not moved");
    }
    found
}

impl StillRedis {
    pub async fn start(now: Timestamp) -> Self {
        let library = library();
        let redis = TestRedis::start_with(|command, folder| {
            command.args(["--appendonly", "yes", "--appendfsync", "always"]).stderr(Stdio::null());
            StillClock::shared(now, folder.join(CLOCK), true);
            if let Some(library) = &library {
                move_clock(command, library, folder);
            }
        });
        Self { redis: redis.await, moves: library.is_some() }
    }

    /// Sets the server's clock. By what is returned it can be moved.
    pub fn clock(&self, now: Timestamp) -> StillClock {
        StillClock::shared(now, self.redis.folder.path().join(CLOCK), self.moves)
    }
}

/// Has the server read the time from the file `clock`.
fn move_clock(command: &mut Command, library: &Path, folder: &Path) {
    // libfaketime waits for itself when jemalloc asks for the time before libfaketime is ready. With the allocator of libc in
    // front of jemalloc nobody asks that early. The monotonic clock runs on: the server's own timers go by it.
    command.env("LD_PRELOAD", format!("{}:libc.so.6", library.display()));
    command.env("FAKETIME_TIMESTAMP_FILE", folder.join(CLOCK));
    command.envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_FMT", "%s"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
    command.envs([("DONT_FAKE_MONOTONIC", "1"), ("TZ", "UTC")]);
}
