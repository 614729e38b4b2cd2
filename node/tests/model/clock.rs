//! The clock of a store and its nodes: it stands still until it is moved.

use std::{
    fs,
    path::PathBuf,
    sync::Mutex,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use muster_node::backplane::TimeSource;

pub struct StillClock {
    began: (Timestamp, Instant),
    passed: Mutex<Duration>,
    /// The file from which a Redis server reads this clock.
    file: Option<PathBuf>,
    /// Whether the clock of this machine is told instead, which nobody moves.
    runs: bool,
}

impl StillClock {
    /// A clock that stands at a time.
    pub fn at(now: Timestamp) -> Self {
        Self { began: (now, Instant::now()), passed: Mutex::default(), file: None, runs: false }
    }

    /// A clock that a Redis server shares by a file. If the server does not read it, the clock of this machine is told.
    pub fn shared(now: Timestamp, file: PathBuf, is_read: bool) -> Self {
        write(&file, now);
        Self { file: Some(file), runs: !is_read, ..Self::at(now) }
    }

    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        *self.passed.lock().unwrap() += by;
        if let Some(file) = &self.file {
            write(file, self.began.0 + *self.passed.lock().unwrap());
        }
    }
}

impl TimeSource for StillClock {
    fn now(&self) -> Timestamp {
        if self.runs { Timestamp::now() } else { self.began.0 + *self.passed.lock().unwrap() }
    }

    fn instant(&self) -> Instant {
        if self.runs { Instant::now() } else { self.began.1 + *self.passed.lock().unwrap() }
    }
}

/// Writes a time as libfaketime reads it, whose milliseconds are those of this time also if a fraction is rounded.
fn write(file: &PathBuf, now: Timestamp) {
    // Replaced in one step: the server may read it at any time.
    let next = file.with_extension("next");
    fs::write(&next, format!("{}.{:03}5\n", now.as_second(), now.subsec_millisecond())).unwrap();
    fs::rename(next, file).unwrap();
}
