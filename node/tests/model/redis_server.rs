//! The Redis server of the model: its clock stands still until it is moved (libfaketime), and it can be killed and come
//! back with everything that it acknowledged.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use jiff::Timestamp;
use redis::{FromRedisValue, cmd};
use tempfile::TempDir;
use tokio::{net::TcpStream, time};

pub struct StillRedis {
    child: Child,
    port: u16,
    directory: TempDir,
    /// The library that moves the clock. Without it the clock runs and can't be moved.
    library: Option<PathBuf>,
}

/// libfaketime, where Debian's package puts it.
///
/// # Panics
/// If it is missing where `CI` is set: a gate that leaves something out must not pass.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let found = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1")).find(|library| library.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "libfaketime is missing: apt-get install libfaketime");
        eprintln!("libfaketime is missing (apt-get install libfaketime): the clock is not moved");
    }
    found
}

impl StillRedis {
    pub async fn start(now: Timestamp) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let library = library();
        let mut server = Self { child: spawn(port, &directory, None), port, directory, library };
        server.stop();
        server.set_clock(now);
        server.go().await;
        server
    }

    /// Whether the clock can be moved.
    pub fn moves(&self) -> bool {
        self.library.is_some()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn set_clock(&self, now: Timestamp) {
        // Replaced in one step: the server may read it at any time.
        let (next, file) = (self.directory.path().join("clock.next"), self.directory.path().join("clock"));
        fs::write(&next, format!("{}\n", now.as_second())).unwrap();
        fs::rename(next, file).unwrap();
    }

    /// Kills the process and starts it again.
    pub async fn restart(&mut self) {
        self.stop();
        self.go().await;
    }

    async fn go(&mut self) {
        self.child = spawn(self.port, &self.directory, self.library.as_ref());
        for _ in 0..500 {
            let is_up = TcpStream::connect(("127.0.0.1", self.port)).await.is_ok();
            if is_up && self.ask::<String>(&["PING"]).await.is_ok() {
                return;
            }
            time::sleep(Duration::from_millis(10)).await;
        }
        panic!("redis-server does not start: {}", self.directory.path().display());
    }

    /// Sends a command by a connection of its own.
    pub async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut command = cmd(words[0]);
        words[1..].iter().for_each(|word| _ = command.arg(word));
        command.query_async(&mut connection).await
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, directory: &TempDir, library: Option<&PathBuf>) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]);
    command.args(["--appendonly", "yes", "--appendfsync", "always"]);
    command.current_dir(directory.path()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(library) = library {
        // libfaketime waits for itself when jemalloc asks for the time before libfaketime is ready. With the allocator of libc in
        // front of jemalloc nobody asks that early. The monotonic clock runs on: the server's own timers go by it.
        command.env("LD_PRELOAD", format!("{}:libc.so.6", library.display()));
        command.env("FAKETIME_TIMESTAMP_FILE", directory.path().join("clock"));
        command.envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_FMT", "%s"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
        command.envs([("DONT_FAKE_MONOTONIC", "1"), ("TZ", "UTC")]);
    }
    command.spawn().expect("redis-server is missing: apt-get install redis-server")
}

impl Drop for StillRedis {
    fn drop(&mut self) {
        self.stop();
    }
}
