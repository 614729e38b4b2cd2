//! The file that describes a server: how it is installed, started and spoken with, and what it promises.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use serde::Deserialize;
use toml::Table;

use super::text_file::parse;

/// The server that does nothing but deliver.
const FLOOR: &str = include_str!("../../servers/floor.toml");

/// A server, as its file describes it. Commands are run by `sh` and know these variables:
///
/// | Variable | |
/// |---|---|
/// | `PORT`, `PORT2`, `PORT3` | free ports of loopback; the server listens on `PORT` |
/// | `DIR` | a folder that lasts: what was installed is in it |
/// | `RUN` | a folder that is new in each run |
/// | `FILES` | the folder of the server's file |
/// | `BIN`, `LOADGEN` | the folder of this program, and its path |
/// | `PID` | the id of the server's process, for `restart` alone |
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CardServer {
    /// The name of the file, without its ending.
    #[serde(skip)]
    pub name: String,
    /// The folder of the file.
    #[serde(skip)]
    pub folder: String,
    /// The name of the server, for people.
    pub title: String,
    /// What the server and its protocol promise, and what they do not, in one or two sentences.
    pub promise: String,
    /// How the server is set up, one sentence for each setting that matters.
    #[serde(default)]
    pub settings: Vec<String>,
    /// Installs the server in `DIR`. It is run for each card, and does nothing if all is there.
    pub install: String,
    /// Prints the server's version in one line.
    pub version: String,
    /// Programs that run beside the server all the time, such as its store. They count as the server's.
    #[serde(default)]
    pub beside: Vec<String>,
    /// Runs the server, in the foreground. It is run again whenever it ends.
    pub start: String,
    /// Succeeds once the server serves. By default it serves once it accepts connections on `PORT`.
    pub ready: Option<String>,
    /// Restarts the server. By default its process is sent SIGTERM.
    pub restart: Option<String>,
    /// Run before the server is ended, which is always by SIGTERM, and by SIGKILL 10 s later.
    pub stop: Option<String>,
    /// The flags of `muster-loadgen run` that speak with the server. `{port}`, `{port2}`, `{port3}` are filled in.
    pub run: Table,
}

impl CardServer {
    /// Reads a file. The error names the file, and the line and field if one is wrong.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let told = || format!("--target {}", file.display());
        let text = fs::read_to_string(file).with_context(told)?;
        let name = file.file_stem().and_then(|name| name.to_str()).with_context(told)?;
        let folder = file.canonicalize().with_context(told)?;
        let folder = folder.parent().and_then(Path::to_str).with_context(told)?;
        Self::parsed(name, folder, &text).with_context(told)
    }

    /// The server that does nothing but deliver.
    pub fn floor() -> anyhow::Result<Self> {
        Self::parsed("floor", ".", FLOOR)
    }

    fn parsed(name: &str, folder: &str, text: &str) -> anyhow::Result<Self> {
        let mut server: Self = parse(name, text)?;
        (server.name, server.folder) = (name.to_owned(), folder.to_owned());
        for (field, text) in [("title", &server.title), ("start", &server.start), ("version", &server.version)] {
            ensure!(!text.trim().is_empty(), "{field} must not be empty");
        }
        ensure!(server.run.contains_key("url"), "[run] needs url: where terminals connect, ws://127.0.0.1:{{port}}/");
        Ok(server)
    }

    /// The command that restarts the server.
    pub fn restart(&self) -> &str {
        self.restart.as_deref().unwrap_or("kill -TERM $PID")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str =
        "title = 'A'\npromise = 'x'\ninstall = ''\nversion = 'v'\nstart = 's'\n[run]\nurl = 'ws://127.0.0.1:{port}/'\n";

    #[test]
    fn a_file_is_strict_and_its_error_names_the_field() {
        assert!(CardServer::parsed("a", ".", WHOLE).is_ok());
        for (wrong, told) in [
            (WHOLE.replace("start = 's'\n", ""), "start"),
            (WHOLE.replace("title", "titel"), "titel"),
            (WHOLE.replace("start = 's'", "start = ' '"), "start"),
            (WHOLE.replace("url", "post"), "url"),
            (format!("beside = 'x'\n{WHOLE}"), "beside"),
        ] {
            let error = format!("{:#}", CardServer::parsed("a", ".", &wrong).unwrap_err());
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn each_server_of_the_project_is_described_rightly() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/servers"));
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<_> = files.filter(|file| file.extension().is_some_and(|ending| ending == "toml")).collect();
        assert!(files.len() >= 6, "{files:?}");
        files.iter().for_each(|file| drop(CardServer::read(file).unwrap()));
        assert_eq!(CardServer::floor().unwrap().name, "floor");
    }
}
