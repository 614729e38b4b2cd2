//! What an import and an export cost Redis, and how long they take.

use std::{fs, path::PathBuf};

use clap::Parser;
use muster_node::store::{StoreFlags, export, import};
use muster_protocol::partition::Partitions;
use tokio::time::Instant;

use crate::{backup_file::backup_file, step::Recorder};

#[derive(Parser)]
struct BackupFlags {
    #[command(flatten)]
    store: StoreFlags,
}

/// Imports a file of so many terminals into an empty store, and exports that.
pub async fn measure(recorder: &mut Recorder<'_>, partitions: Partitions, terminals: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, out) = (folder.path().join("import"), folder.path().join("export"));
    let (text, count) = backup_file(terminals);
    fs::write(&file, text).expect("the file can be written");
    let flags = BackupFlags::parse_from(["store", "--insecure", "--redis", &recorder.servers.url]).store;
    let mut seconds = 0.0;
    let imports = async || {
        let begun = Instant::now();
        import(flags.clone(), Some(partitions), file).await.expect("the import is done");
        seconds = begun.elapsed().as_secs_f64();
    };
    recorder.step("backup: an import, per terminal and command", None, count, imports).await;
    recorder.figure("backup: an import takes", seconds, None, "s");
    let exports = async || {
        let begun = Instant::now();
        export(flags.clone(), Some(out.clone())).await.expect("the export is done");
        seconds = begun.elapsed().as_secs_f64();
    };
    recorder.step("backup: an export, per terminal and command", None, count, exports).await;
    recorder.figure("backup: an export takes", seconds, None, "s");
    recorder.figure("backup: the file of the export", mebibytes(&out), None, "MiB");
}

fn mebibytes(file: &PathBuf) -> f64 {
    fs::metadata(file).expect("the export is there").len() as f64 / f64::from(1 << 20)
}
