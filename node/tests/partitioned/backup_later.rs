//! What is accepted while an export reads the store.

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
};

use muster_protocol::api::Protocol::V1;
use muster_testkit::{TestProcess, TestRedis};
use tokio::task;

use crate::backup::{BackupTest, import_from};

/// With labels of 4 KiB each, these have more than an export that nobody reads can write: its buffer has 256 KiB, and a pipe 64 KiB.
const TERMINALS: u64 = 90;
const UNREAD: usize = (256 + 64) << 10;

#[tokio::test]
async fn a_command_that_is_accepted_after_an_export_began_is_not_in_it() {
    let (test, other) = (BackupTest::start().await, TestRedis::start().await);
    let node = test.node("3").await;
    let labels: Vec<_> = (0..32).map(|key| (format!("k{key:063}"), "v".repeat(64))).collect();
    let labels: Vec<_> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    for number in 0..TERMINALS {
        node.terminal(&format!("t{number:02}"), V1, &labels).await;
    }
    assert_eq!(node.command(r#"{"all":true}"#, r#""before""#).await.0, 202);

    let mut command = Command::new(env!("CARGO_BIN_EXE_muster-node"));
    command.args(["store", "export", "--insecure", "--redis", &test.redis.url]).stdout(Stdio::piped());
    let mut export = TestProcess::start(&mut command);
    let mut out = export.child.stdout.take().unwrap();
    // The first byte comes after the export has read the clocks. Then the export waits with its terminals for a reader.
    let (mut out, mut bytes) = task::spawn_blocking(move || {
        let mut first = vec![0];
        out.read_exact(&mut first).map(|()| (out, first))
    })
    .await
    .unwrap()
    .unwrap();
    assert_eq!(node.command(r#"{"all":true}"#, r#""after""#).await.0, 202);
    let bytes = task::spawn_blocking(move || out.read_to_end(&mut bytes).map(|_| bytes)).await.unwrap().unwrap();
    assert!(export.ended().await.success());

    assert!(bytes.len() > UNREAD, "{} bytes can be written before anybody reads", bytes.len());
    fs::write(test.file(), bytes).unwrap();
    let counts = import_from(&other.url, 3, &test.file()).await.unwrap();
    assert_eq!((counts.terminals, counts.commands), (TERMINALS, 1));
}
