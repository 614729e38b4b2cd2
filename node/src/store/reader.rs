//! Reads a file line by line, and checks it as a whole before anything of it is used.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use anyhow::{Context, bail, ensure};
use data_encoding::HEXLOWER;
use ring::digest;

use super::lines::{BackupCounts, BackupEnd, BackupHeader, BackupLine, FORMAT, LINE_MAX};

/// A file that is being read.
pub struct BackupReader {
    input: BufReader<File>,
    digest: digest::Context,
    counts: BackupCounts,
    line: Vec<u8>,
}

/// A file that was checked.
pub struct CheckedBackup {
    /// Its first line.
    pub header: BackupHeader,
    /// Its last line.
    pub end: BackupEnd,
}

impl BackupReader {
    /// Opens a file.
    ///
    /// # Errors
    /// If it can't be opened.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let digest = digest::Context::new(&digest::SHA256);
        Ok(Self {
            input: BufReader::with_capacity(1 << 18, file),
            digest,
            counts: BackupCounts::default(),
            line: Vec::new(),
        })
    }

    /// The next line. The last one is checked against all that were read before.
    ///
    /// # Errors
    /// Says which line is wrong, and why.
    pub fn next(&mut self) -> anyhow::Result<BackupLine> {
        let number = self.counts.lines + 1;
        self.line.clear();
        let most = LINE_MAX as u64 + 1;
        self.input.by_ref().take(most).read_until(b'\n', &mut self.line).context("the file can't be read")?;
        ensure!(self.line.len() <= LINE_MAX, "line {number} is longer than {LINE_MAX} bytes");
        ensure!(
            self.line.ends_with(b"\n"),
            "the file was cut off: it has no last line that says what is in it; use a whole export"
        );
        let what = || format!("line {number} can't be read");
        let line: BackupLine = serde_json::from_slice(&self.line).with_context(what)?;
        if let BackupLine::End(end) = &line {
            let sha256 = HEXLOWER.encode(self.digest.clone().finish().as_ref());
            ensure!(
                end.sha256 == sha256 && end.counts == self.counts,
                "the checksum differs: the file is not as the export wrote it"
            );
            ensure!(self.input.fill_buf()?.is_empty(), "there is something behind the last line");
            return Ok(line);
        }
        self.digest.update(&self.line);
        self.counts.add(&line);
        Ok(line)
    }

    /// The first line.
    ///
    /// # Errors
    /// If the file is no export, or one of another version.
    pub fn header(&mut self) -> anyhow::Result<BackupHeader> {
        let BackupLine::Header(header) =
            self.next().context("this is no file that `muster-node store export` wrote")?
        else {
            bail!("this is no file that `muster-node store export` wrote: the first line is no header");
        };
        ensure!(
            header.format == FORMAT,
            "the file has format {}, and this program reads {FORMAT} only: use the version of muster-node that wrote it",
            header.format
        );
        Ok(header)
    }

    /// Reads a whole file, and has `check` look at each line.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(
        path: &Path,
        check: impl Fn(&BackupHeader, &BackupLine) -> anyhow::Result<()>,
    ) -> anyhow::Result<CheckedBackup> {
        let mut reader = Self::open(path)?;
        let header = reader.header()?;
        loop {
            match reader.next()? {
                BackupLine::End(end) => return Ok(CheckedBackup { header, end }),
                line => check(&header, &line).with_context(|| format!("line {}", reader.counts.lines))?,
            }
        }
    }
}
