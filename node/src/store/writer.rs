//! Writes a file line by line.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

use anyhow::{Context, ensure};
use data_encoding::HEXLOWER;
use ring::digest;

use super::{
    lines::{BackupCounts, BackupEnd, BackupLine, LINE_MAX},
    partial_file::PartialFile,
};

/// A file that is being written, or standard output.
pub struct BackupWriter {
    out: BufWriter<Box<dyn Write>>,
    file: Option<PartialFile>,
    digest: digest::Context,
    counts: BackupCounts,
}

impl BackupWriter {
    /// Makes the file. Without a path, lines go to standard output.
    ///
    /// # Errors
    /// As [`PartialFile::create`].
    pub fn create(path: Option<&Path>) -> anyhow::Result<Self> {
        let file = path.map(PartialFile::create).transpose()?;
        let out: Box<dyn Write> = match &file {
            Some(file) => Box::new(file.writer()?),
            None => Box::new(io::stdout()),
        };
        let digest = digest::Context::new(&digest::SHA256);
        Ok(Self { out: BufWriter::with_capacity(1 << 18, out), file, digest, counts: BackupCounts::default() })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// If it can't be written, or is longer than an import reads.
    pub fn write(&mut self, line: &BackupLine) -> anyhow::Result<()> {
        let bytes = bytes_of(line)?;
        self.digest.update(&bytes);
        self.counts.add(line);
        self.out.write_all(&bytes).context("the export can't be written")
    }

    /// Writes the last line, waits until the disk has the file, and gives it its name.
    ///
    /// # Errors
    /// If that fails. No file is left then.
    pub fn end(mut self) -> anyhow::Result<BackupCounts> {
        let end = BackupEnd { counts: self.counts, sha256: HEXLOWER.encode(self.digest.finish().as_ref()) };
        self.out.write_all(&bytes_of(&BackupLine::End(end))?).context("the export can't be written")?;
        self.out.flush().context("the export can't be written")?;
        if let Some(file) = self.file {
            file.finish()?;
        }
        Ok(self.counts)
    }
}

fn bytes_of(line: &BackupLine) -> anyhow::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    ensure!(
        bytes.len() <= LINE_MAX,
        "a line of {} bytes is longer than {LINE_MAX}, which an import reads at most",
        bytes.len()
    );
    Ok(bytes)
}
