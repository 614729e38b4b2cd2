//! Real Sentinels.

use std::{
    fs,
    process::{Command, Stdio},
};

use muster_testkit::TestProcess;
use tempfile::TempDir;

/// A Sentinel with this configuration. It needs a file of its own, to which it writes what it learns.
pub fn start_sentinel(configuration: &str) -> (TestProcess, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sentinel.conf");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new("redis-server");
    command.arg(&file).arg("--sentinel").current_dir(folder.path()).stdout(Stdio::null());
    (TestProcess::start(&mut command), folder)
}
