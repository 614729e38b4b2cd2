//! A node that can open no more files.

use std::{collections::BTreeSet, fs, net::TcpStream, time::Duration};

use muster_protocol::api::Protocol::V1;
use muster_testkit::{OnlineTerminal, http::get};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::time;

use crate::program::{Program, shortage, until_ready, until_unready};

/// The files that the node may open at last.
const FILES: u64 = 1024;
/// How many silent connections wait while a probe comes.
const SILENT: usize = 4;

impl Program {
    /// Allows the program no file beyond those that it has open.
    fn allow_no_more_files(&self) {
        let folder = fs::read_dir(format!("/proc/{}/fd", self.0.process.child.id())).unwrap();
        let open: BTreeSet<u64> =
            folder.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
        self.allow_files((0..).find(|number| !open.contains(number)).unwrap());
    }

    fn allow_files(&self, count: u64) {
        let (pid, limit) =
            (Pid::from_child(&self.0.process.child), Rlimit { current: Some(count), maximum: Some(FILES) });
        prlimit(Some(pid), Resource::Nofile, limit).unwrap();
    }

    /// The processor time that the program has used, in hundredths of a second.
    fn processor_time(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.process.child.id())).unwrap();
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }
}

#[tokio::test]
async fn a_node_without_descriptors_says_so_at_rest_and_serves_again_when_there_are_some() {
    let node = Program::start(&["--insecure"]);
    let address = node.ready().await;
    let mut present = OnlineTerminal::start(address, "present", V1, &[]).await;
    node.allow_no_more_files();
    let silent: Vec<_> = (0..SILENT).map(|_| TcpStream::connect(address).unwrap()).collect();
    until_unready(address, "can open no more files").await;
    assert_eq!(shortage(address, "files").await.as_deref(), Some("1"));
    let before = node.processor_time();
    time::sleep(Duration::from_secs(1)).await;
    let used = node.processor_time() - before;
    assert!(used < 50, "the node has used {used} hundredths of a second in one");
    drop(silent);
    assert!(present.is_quiet(), "whoever is online stays");
    node.allow_files(FILES);
    until_ready(address).await;
    let _new = OnlineTerminal::start(address, "new", V1, &[]).await;
    assert_eq!(get(address, "/v1/fleet").await.1["online"], 2);
}
