//! The configuration file, in TOML. `terminal/muster-terminal.toml` shows every setting.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{self, Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use muster_client::{Config, TlsFiles, TlsFlags, TlsSource, TokenSource};
use muster_protocol::{TerminalId, selector::Labels};
use serde::Deserialize;

use crate::{
    allowed::AllowedCommand,
    files::{self, FileSettings, parts::PartsBound},
    health::HealthSettings,
    platform,
    signature::Signers,
    update::{self, UpdateSettings},
    upload::{self, UploadSettings},
};

/// The largest configuration file, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// What the configuration file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSettings {
    /// This file, as a path from the root.
    #[serde(skip)]
    pub file: PathBuf,
    /// The terminal's id; the name of this host by default.
    #[serde(default = "platform::host_name")]
    pub id: String,
    /// Where the terminal connects, as `wss://HOST[:PORT]/ws`. After a failed attempt it tries the next URL.
    pub urls: Vec<String>,
    /// The file with the token. `None` for nodes that run with `--insecure`.
    pub token_file: Option<PathBuf>,
    /// Whether the agent trades the token for a later one before it expires, and writes the later one into the file;
    /// false by default.
    #[serde(default)]
    pub renew_token: bool,
    /// The folder for what outlives a restart: which commands were taken, and their results.
    #[serde(default = "platform::state_folder")]
    pub state: PathBuf,
    /// What the terminal says of itself.
    #[serde(default)]
    pub labels: Labels,
    /// Which servers are trusted, and the terminal's certificate.
    #[serde(default)]
    pub tls: AgentTls,
    /// What the health reports have.
    #[serde(default)]
    pub health: HealthSettings,
    /// How many commands run at the same time; 4 by default. The agent rejects any more.
    #[serde(default = "commands_at_once")]
    pub commands_at_once: usize,
    /// Whose programs may arrive and be run. Nobody's by default.
    #[serde(default)]
    pub signers: Signers,
    /// Files that operators may send. None by default.
    pub files: Option<FileSettings>,
    /// Files that operators may ask for. None by default.
    pub upload: Option<UploadSettings>,
    /// Updates of the agent. None by default.
    pub update: Option<UpdateSettings>,
    /// The commands that the agent runs, by name. It rejects every other command.
    #[serde(default)]
    pub commands: BTreeMap<String, AllowedCommand>,
}

/// The section `tls`. All files are PEM.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentTls {
    /// The CAs that the agent trusts, instead of those that the system trusts.
    pub ca: Option<PathBuf>,
    /// The terminal's certificate.
    pub cert: Option<PathBuf>,
    /// The key of that certificate.
    pub key: Option<PathBuf>,
}

impl AgentSettings {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// If the file can't be read, or a setting can't be used. The text names the file and the setting.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = read_bounded(file).with_context(|| format!("--config {}: it can't be read", file.display()))?;
        let mut settings: Self = toml::from_str(&text).with_context(|| format!("--config {}", file.display()))?;
        settings.file = path::absolute(file)?;
        settings.check().with_context(|| format!("--config {}", file.display()))?;
        Ok(settings)
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(self.commands_at_once > 0, "commands_at_once: it must be at least 1");
        ensure!(!self.renew_token || self.token_file.is_some(), "renew_token: it needs token_file");
        for (name, command) in &self.commands {
            command.check().with_context(|| format!("commands.{name}"))?;
        }
        if let Some(files) = &self.files {
            self.check_files(files)?;
        }
        if let Some(upload) = &self.upload {
            ensure!(cfg!(unix), "upload: an agent on Windows sends no files; remove the section");
            upload.check()?;
            self.check_name(upload::COMMAND, "upload")?;
        }
        if let Some(update) = &self.update {
            ensure!(cfg!(unix), "update: an agent on Windows takes no updates; remove the section");
            update.check()?;
            self.check_name(update::COMMAND, "update")?;
            ensure!(!self.signers.is_empty(), "update: it needs a key in `signers`");
        }
        self.health.check()
    }

    fn check_files(&self, files: &FileSettings) -> anyhow::Result<()> {
        files.check()?;
        self.check_name(files::COMMAND, "files")?;
        ensure!(files.programs.is_empty() || !self.signers.is_empty(), "files.programs: they need a key in `signers`");
        for (name, command) in &self.commands {
            files.check_program(&command.program).with_context(|| format!("commands.{name}"))?;
        }
        for (name, check) in &self.health.checks {
            files.check_program(&check.program).with_context(|| format!("health.checks.{name}"))?;
        }
        Ok(())
    }

    /// Checks that no program has the name of a command that a section brings.
    fn check_name(&self, command: &str, section: &str) -> anyhow::Result<()> {
        let is_free = !self.commands.contains_key(command);
        ensure!(is_free, "commands.{command}: the section `{section}` has a command of this name");
        Ok(())
    }

    /// Returns what the parts of files may take, in each folder where files arrive.
    pub fn parts(&self) -> Vec<PartsBound> {
        let files = self.files.as_ref().map(FileSettings::parts);
        let programs = self.update.as_ref().map(|update| update.parts(&self.state));
        files.into_iter().chain(programs).collect()
    }

    /// Returns what the client is started with.
    ///
    /// # Errors
    /// If the id or the URLs can't be used, or the folder for the state can't be made.
    pub fn client(&self) -> anyhow::Result<Config> {
        let id: TerminalId =
            self.id.parse().with_context(|| format!("id: {:?} can't be the id of a terminal", self.id))?;
        let mut config = Config::new(self.urls.clone(), id);
        config.sdk = concat!("muster-terminal/", env!("CARGO_PKG_VERSION")).to_owned();
        config.labels = self.labels.clone();
        config.tls = TlsSource::files(self.tls.files());
        config.token = self.token(&config.tls)?;
        platform::make_private(&self.state)
            .with_context(|| format!("state {}: it can't be made", self.state.display()))?;
        config.memory = Some(self.state.join("commands"));
        Ok(config)
    }

    fn token(&self, tls: &TlsSource) -> anyhow::Result<Option<TokenSource>> {
        let Some(file) = &self.token_file else { return Ok(None) };
        if self.renew_token {
            return Ok(Some(TokenSource::renewed_file(file, self.urls.clone(), tls)?));
        }
        Ok(Some(TokenSource::file(file)))
    }
}

impl AgentTls {
    /// Returns the settings as connections take them.
    pub fn files(&self) -> TlsFiles {
        let flags = TlsFlags { ca: "tls.ca", cert: "tls.cert", key: "tls.key", insecure: "tls.insecure" };
        TlsFiles { flags, ca: self.ca.clone(), cert: self.cert.clone(), key: self.key.clone(), insecure: false }
    }
}

fn read_bounded(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(FILE_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_MAX {
        bail!("it has more than {FILE_MAX} bytes");
    }
    Ok(text)
}

fn commands_at_once() -> usize {
    4
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &str) -> Result<AgentSettings, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("terminal.toml");
        fs::write(&file, text).unwrap();
        AgentSettings::read(&file).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_example_has_every_setting_and_can_be_used() {
        let example = include_str!("../muster-terminal.toml");
        let settings = read(example).unwrap();
        assert_eq!(settings.urls, ["wss://muster.example/ws"]);
        assert!(settings.commands.len() >= 2 && settings.health.checks.len() == 1);
    }

    #[test]
    fn a_setting_that_can_not_be_used_is_named() {
        for (text, says) in [
            ("", "urls"),
            ("urls = []\nurl = 1", "url"),
            ("urls = []\nrenew_token = true", "renew_token"),
            ("urls = []\ncommands_at_once = 0", "commands_at_once"),
            ("urls = []\n[commands.show]\nprogram = []", "commands.show"),
            ("urls = []\n[commands.show]\nprogram = ['show']", "commands.show"),
            ("urls = []\n[commands.show]\nprogram = ['/show']\nwithin = '0s'", "within"),
            ("urls = []\n[commands.show]\nprogram = ['/show']\nshell = true", "shell"),
            ("urls = []\nsigners = ['key']", "signers"),
            ("urls = []\n[files]\nfolder = '/'\nprograms = ['show']", "files.programs"),
            ("urls = []\n[files]\nfolder = '/'\nparts_for = '0s'", "files.parts_for"),
            ("urls = []\n[files]\nfolder = '/'\n[commands.file]\nprogram = ['/show']", "commands.file"),
            ("urls = []\n[files]\nfolder = '/'\n[commands.show]\nprogram = ['/show']", "files.programs"),
            ("urls = []\n[upload]\nfolders = ['log']", "upload.folders"),
            ("urls = []\n[upload]\nfolders = ['/log']\nwithin = '0s'", "upload.within"),
            ("urls = []\n[upload]\nfolders = ['/log']\n[commands.upload]\nprogram = ['/show']", "commands.upload"),
            ("urls = []\n[update]", "signers"),
            ("urls = []\n[update]\ntrial = '0s'", "update.trial"),
            ("urls = []\n[update]\ntrial = '10s'\nsteady = '10s'", "update.steady"),
            ("urls = []\n[update]\n[commands.update]\nprogram = ['/show']", "commands.update"),
            ("urls = []\n[health]\nevery = '0s'", "health.every"),
            ("urls = []\n[health.checks.printer]\nprogram = []", "health.checks.printer"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says) && error.contains("terminal.toml"), "{text}: {error}");
        }
    }
}
