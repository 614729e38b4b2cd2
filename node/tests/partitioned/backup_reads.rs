//! An export whose partitions do not answer for a while.

use std::{fs, path::Path, process::Command};

use muster_protocol::api::Protocol::V1;
use muster_testkit::{LoggedProcess, TestRedis, wait::until};
use rustix::process::Signal;

use crate::{
    backup::import_from,
    masters::{AWAY, MastersAndNode, PARTITIONS},
};

/// Starts an export of the cluster's store into a file.
fn export(cluster: &MastersAndNode, out: &Path) -> LoggedProcess {
    let url = format!("redis+cluster://127.0.0.1:{}", cluster.masters[0].port);
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster-node"));
    command.args(["store", "export", "--insecure", "--redis", &url, "--out"]).arg(out);
    LoggedProcess::start(&mut command)
}

/// Waits until the export has printed that it waits for a partition that is away.
async fn waits(export: &LoggedProcess) {
    let line = |partition: u16| format!("partition {partition} does not answer");
    until("the export names the partition", async || AWAY.iter().any(|away| export.stderr().contains(&line(*away))))
        .await;
}

async fn cluster() -> MastersAndNode {
    let cluster = MastersAndNode::start().await;
    for partition in 0..PARTITIONS {
        cluster.node.was_here(&cluster.id_in(partition), V1).await;
    }
    assert_eq!(cluster.node.command(r#"{"all":true}"#, "1").await.0, 202);
    cluster
}

#[tokio::test]
async fn an_export_waits_for_a_partition_that_does_not_answer_and_is_whole() {
    let (cluster, folder) = (cluster().await, tempfile::tempdir().unwrap());
    let out = folder.path().join("backup");
    cluster.masters[1].hang();
    let mut export = export(&cluster, &out);
    waits(&export).await;
    assert!(!out.exists(), "it has its name once it is whole");
    cluster.masters[1].go_on();
    assert!(export.process.ended().await.success());
    let other = TestRedis::start().await;
    let counts = import_from(&other.url, 4, &out).await.unwrap();
    assert_eq!((counts.terminals, counts.commands), (u64::from(PARTITIONS), 1));
}

#[tokio::test]
async fn an_export_that_was_killed_leaves_no_file_of_that_name() {
    let (cluster, folder) = (cluster().await, tempfile::tempdir().unwrap());
    let out = folder.path().join("backup");
    cluster.masters[1].hang();
    let mut export = export(&cluster, &out);
    waits(&export).await;
    export.process.signal(Signal::KILL);
    export.process.ended().await;
    cluster.masters[1].go_on();
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["backup.part"]);
    let refusal = import_from(&cluster.masters[0].url, 4, &folder.path().join("backup.part")).await.unwrap_err();
    assert!(refusal.contains("the file was cut off"), "{refusal}");
}
