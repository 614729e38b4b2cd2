//! The part of a file that has arrived. It lies beside the file, under a name that says whose part it is. So a fetch
//! goes on where the last one ended, also after a restart.

use std::{
    io::{self, Seek},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use data_encoding::HEXLOWER_PERMISSIVE;
use ring::digest;
use tokio::{
    fs::{self, File, OpenOptions},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
    task::spawn_blocking,
};

use super::request::FileRequest;
use crate::{durable, platform, signature::ProgramSignature};

/// How much is read at a time to hash what has arrived, in bytes.
const CHUNK: usize = 64 << 10;

/// A file that arrives.
pub struct ArrivingFile {
    file: File,
    path: PathBuf,
    length: u64,
    size: u64,
    expected: Vec<u8>,
    hash: digest::Context,
}

impl ArrivingFile {
    /// Opens the part that is there, or an empty one.
    pub async fn open(folder: &Path, request: &FileRequest) -> anyhow::Result<Self> {
        let expected = HEXLOWER_PERMISSIVE.decode(request.sha256.as_bytes())?;
        // The name has the hash, so that a fetch never goes on with the part of another file.
        let path = folder.join(format!(".{}.{}.part", request.name, &request.sha256[..16].to_ascii_lowercase()));
        let mut file = open_locked(&path).await?;
        let (length, hash) = read_through(&mut file).await?;
        let mut begun = Self { file, path, length, size: request.size, expected, hash };
        if length > request.size {
            begun.restart().await?;
        }
        Ok(begun)
    }

    /// Returns how much has arrived, in bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Drops what has arrived.
    pub async fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0).await?;
        self.file.rewind().await?;
        self.length = 0;
        self.hash = digest::Context::new(&digest::SHA256);
        Ok(())
    }

    /// Adds what has arrived now.
    pub async fn push(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        ensure!(self.length + bytes.len() as u64 <= self.size, "the server sends more than {} bytes", self.size);
        self.file.write_all(bytes).await.with_context(|| self.path.display().to_string())?;
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Checks the whole file, and drops it if it has another hash.
    pub async fn finish(mut self) -> anyhow::Result<WholeFile> {
        self.file.flush().await?;
        if self.hash.clone().finish().as_ref() != self.expected {
            fs::remove_file(&self.path).await?;
            anyhow::bail!("the file has another SHA-256; it was dropped");
        }
        self.file.sync_all().await?;
        let written = self.file.metadata().await?.len();
        ensure!(written == self.size, "the file has {written} bytes on the disk instead of {}", self.size);
        Ok(WholeFile { file: self.file, path: self.path })
    }
}

/// A file that has arrived whole, and has no name yet. Its lock is held.
pub struct WholeFile {
    file: File,
    path: PathBuf,
}

impl WholeFile {
    /// Checks that the file is what was signed, and drops it if not.
    pub async fn verify(&self, signature: &ProgramSignature) -> anyhow::Result<()> {
        let (mut file, signature) = (self.file.try_clone().await?.into_std().await, signature.clone());
        let verify = move || -> anyhow::Result<()> {
            file.rewind()?;
            signature.verify(file)
        };
        let verified = spawn_blocking(verify).await?;
        if verified.is_err() {
            fs::remove_file(&self.path).await?;
        }
        verified
    }

    /// Gives the file its name, in place of an older file. It has the name after a power cut too.
    pub fn place(self, target: &Path) -> io::Result<()> {
        durable::rename(&self.path, target)
    }

    /// Does as [`place`](Self::place) with a program, and lets its owner run it.
    pub fn place_program(self, target: &Path) -> io::Result<()> {
        platform::make_runnable(&self.path)?;
        self.place(target)
    }
}

/// Opens the part and locks it. If the part was removed between the two, opens it again.
async fn open_locked(path: &Path) -> anyhow::Result<File> {
    let mut options = platform::private_file();
    options.read(true).write(true).create(true).truncate(false);
    let options = OpenOptions::from(options);
    loop {
        let file = options.open(path).await.with_context(|| path.display().to_string())?.into_std().await;
        // Two fetches that write to one file would each find their own hash right.
        file.try_lock().context("another command fetches this file now")?;
        if platform::has_name(&file, path)? {
            return Ok(File::from_std(file));
        }
    }
}

/// Returns the length and the hash of what a file has.
async fn read_through(file: &mut File) -> io::Result<(u64, digest::Context)> {
    let (mut length, mut hash, mut chunk) = (0, digest::Context::new(&digest::SHA256), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk).await? {
            0 => return Ok((length, hash)),
            count => {
                hash.update(&chunk[..count]);
                length += count as u64;
            }
        }
    }
}
