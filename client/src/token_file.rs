//! A token that is read from a file.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::task::spawn_blocking;

use crate::token::{InvalidToken, Token, TokenUnavailable};

/// The largest file that is read as a token, in bytes. A node takes no longer token.
const FILE_MAX: u64 = 16 * 1024;

/// Reads a token from a file. Fails if an earlier call still reads it.
pub(crate) async fn read_file(path: PathBuf, is_reading: Arc<AtomicBool>) -> Result<Token, TokenUnavailable> {
    let shown = path.display().to_string();
    let failed = |problem: String| TokenUnavailable::File { path: shown, problem };
    if is_reading.swap(true, Ordering::AcqRel) {
        return Err(failed("an earlier attempt to read it has not ended".into()));
    }
    let reading = spawn_blocking(move || {
        let token = read_token(&path);
        is_reading.store(false, Ordering::Release);
        token
    });
    reading.await.unwrap_or_else(|error| Err(error.to_string())).map_err(failed)
}

fn read_token(path: &Path) -> Result<Token, String> {
    let told = |error: std::io::Error| error.to_string();
    // To open a pipe would wait for a writer.
    if !fs::metadata(path).map_err(told)?.is_file() {
        return Err("it is no regular file".into());
    }
    let mut text = Vec::new();
    fs::File::open(path).map_err(told)?.take(FILE_MAX + 1).read_to_end(&mut text).map_err(told)?;
    if text.len() as u64 > FILE_MAX {
        return Err(format!("it is larger than the {FILE_MAX} bytes that a token may have"));
    }
    let text = String::from_utf8(text).map_err(|_| InvalidToken.to_string())?;
    if text.trim().is_empty() {
        return Err("it is empty".into());
    }
    text.trim().parse().map_err(|error: InvalidToken| error.to_string())
}
