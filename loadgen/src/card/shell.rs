//! The commands of a server's file: each is run by `sh`, with the variables of the server.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, ensure};
use tokio::process::{Child, Command};

/// So much of the end of a log is shown.
const SHOWN: usize = 1500;

/// What commands of a server need.
#[derive(Debug, Clone)]
pub struct Shell {
    /// The name of the server.
    pub name: String,
    /// The folder of the server, in which commands run.
    pub folder: PathBuf,
    /// The variables that commands know.
    pub variables: BTreeMap<&'static str, String>,
    /// The words before each command.
    pub before: Vec<String>,
}

impl Shell {
    /// The value of a variable; empty if it has none.
    pub fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    /// Makes the folder of one run anew.
    pub fn empty_run_folder(&self) -> io::Result<()> {
        let folder = Path::new(self.variable("RUN"));
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)
    }

    /// The file to which all commands write what they print.
    pub fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// Runs a command to its end and returns what it printed. The error names `field`.
    pub async fn output(&self, field: &str, text: &str) -> anyhow::Result<String> {
        let mut command = Command::new("sh");
        let run = command.args(["-ec", text]).envs(&self.variables).current_dir(&self.folder).kill_on_drop(true);
        let output = run.stdin(Stdio::null()).output().await.with_context(|| format!("{}: {field}", self.name))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {field}: {}: {}", self.name, output.status, end_of(&errors));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts a command in a process group of its own.
    pub fn spawn(&self, text: &str) -> anyhow::Result<Child> {
        let words = [self.before.as_slice(), &["sh".into(), "-ec".into(), text.into()]].concat();
        let log = self.log();
        let open = || -> io::Result<File> { OpenOptions::new().create(true).append(true).open(&log) };
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).envs(&self.variables).current_dir(&self.folder).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(open()?).stderr(open()?);
        command.spawn().with_context(|| format!("{}: {text}", self.name))
    }
}

/// The end of a text.
pub fn end_of(text: &str) -> String {
    let text = text.trim();
    let from = text.char_indices().rev().nth(SHOWN).map_or(0, |(at, _)| at);
    text[from..].to_owned()
}
