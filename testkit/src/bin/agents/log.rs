//! The log of all terminals of this process.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use muster_protocol::TerminalId;
use serde_json::{Value, json};

/// An open log. Each line is one write, so a kill loses no line of something that was done.
#[derive(Clone)]
pub struct Log(Arc<Mutex<File>>);

impl Log {
    /// Opens the file to append to it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// Writes a line: the terminal, the time, `what`, and the members of the object `detail`.
    pub fn write(&self, terminal: &TerminalId, what: &str, detail: Value) {
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let mut line = json!({ "terminal": terminal, "at": at, "what": what });
        if let (Value::Object(line), Value::Object(detail)) = (&mut line, detail) {
            line.extend(detail);
        }
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            let _ = writeln!(io::stderr(), "agents: the log can't be written: {error}");
        }
    }
}
