//! A server as a process: started, measured, and ended with the bench.

use std::{
    fs,
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use muster_testkit::TestProcess;

use super::server::Server;

/// The node of this build.
pub const NODE: &str = env!("CARGO_BIN_EXE_muster-node");

/// A child that ends with the bench.
pub struct ServerProcess {
    process: TestProcess,
    /// Where it listens.
    pub address: SocketAddr,
}

impl ServerProcess {
    /// Starts the program. Its first line is `before` and its address.
    pub fn start(command: &mut Command, before: &str) -> Self {
        let mut process = TestProcess::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
        let address = process.line_after(before).parse().expect("its line ends with its address");
        Self { process, address }
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.process.child.id()
    }
}

impl Server for ServerProcess {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.id()]
    }
}

/// The CPU time that the threads of a process have used so far. That of threads that have ended is not in it.
pub fn cpu(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("the process lives");
    let on_cpu = |task: fs::DirEntry| -> u64 {
        let schedstat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        schedstat.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0)
    };
    Duration::from_nanos(tasks.filter_map(Result::ok).map(on_cpu).sum())
}

/// Resident bytes of a process.
pub fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("every process has one");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number") * 1024
}
