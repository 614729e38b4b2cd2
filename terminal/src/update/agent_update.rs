//! The steps of an update, as the agent takes them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use muster_client::TlsFiles;
use muster_protocol::{CommandId, Payload, selector::LabelVersion};

use super::{
    NAME, UpdateSettings,
    fetched::ProgramFetch,
    folder,
    record::{ProgramRecord, UpdateEnd, UpdateStage},
    request::UpdateRequest,
    start::{built_version, own_file},
    trial::{BootTime, UpdateTrial},
    updated_program::UpdatedProgram,
};
use crate::{allowed::NotAllowed, platform, signature::Signers};

/// The record of this box's programs, and what is under way.
pub struct AgentUpdate {
    /// The section of the configuration.
    pub settings: UpdateSettings,
    signers: Signers,
    tls: TlsFiles,
    config: PathBuf,
    folder: PathBuf,
    record: ProgramRecord,
}

impl AgentUpdate {
    /// Opens the record below the folder `state`, and removes programs that the record does not name. `config` is the
    /// configuration file, which a new program must understand.
    ///
    /// # Errors
    /// If the folder can't be made.
    pub fn open(
        settings: UpdateSettings,
        state: &Path,
        config: PathBuf,
        signers: Signers,
        tls: TlsFiles,
    ) -> anyhow::Result<Self> {
        let folder = folder(state);
        platform::make_private(&folder).with_context(|| format!("{}: it can't be made", folder.display()))?;
        let record = ProgramRecord::load(&folder);
        let opened = Self { settings, signers, tls, config, folder, record };
        opened.remove_others();
        Ok(opened)
    }

    /// Returns what became of the last update.
    pub fn ended(&self) -> Option<&UpdateEnd> {
        self.record.ended.as_ref()
    }

    /// Returns whether this program has to prove itself.
    pub fn is_on_trial(&self) -> bool {
        let Some(UpdateStage::OnTrial(trial)) = &self.record.stage else { return false };
        own_file().as_ref() == Some(&trial.program.file)
    }

    /// Begins an update.
    ///
    /// # Errors
    /// If the update is not allowed, or another one is under way.
    pub fn begin(&mut self, command: CommandId, payload: &Payload) -> Result<ProgramFetch, NotAllowed> {
        if self.record.stage.is_some() {
            return Err(NotAllowed("another update is under way".to_owned()));
        }
        let request = UpdateRequest::read(payload, &self.settings)?;
        let fetch = self.fetch(request.clone())?;
        self.record.ended = None;
        self.record.stage = Some(UpdateStage::Fetching { command, request, starts: 0 });
        if let Err(error) = self.save() {
            self.record.stage = None;
            return Err(NotAllowed(format!("{error:#}")));
        }
        Ok(fetch)
    }

    /// Goes on with a program that was fetched when the agent ended.
    pub fn resume(&mut self) -> Option<(CommandId, ProgramFetch)> {
        let before = self.record.clone();
        let mut resumed = None;
        if let Some((command, request)) = self.record.resume_fetching() {
            // The keys may have changed, or the program that runs.
            match self.fetch(request) {
                Ok(fetch) => resumed = Some((command, fetch)),
                Err(NotAllowed(why)) => self.record.fail(&why),
            }
        }
        if self.record != before {
            self.save_or_log();
        }
        resumed
    }

    fn fetch(&self, request: UpdateRequest) -> Result<ProgramFetch, NotAllowed> {
        let signature = request.signature(&self.signers, &self.running_version())?;
        let (folder, within) = (self.folder.clone(), self.settings.within);
        Ok(ProgramFetch { request, signature, folder, within, tls: self.tls.clone(), config: self.config.clone() })
    }

    /// Puts a program on trial. The agent then has to end and to start the program.
    ///
    /// # Errors
    /// If the record can't be written. Then the update has failed.
    pub fn put_on_trial(&mut self, command: CommandId, program: UpdatedProgram) -> anyhow::Result<()> {
        let bound = self.settings.trial.as_secs();
        let trial = UpdateTrial { command, program, starts: 0, since: BootTime::now(), bound };
        self.record.stage = Some(UpdateStage::OnTrial(trial));
        self.save()
    }

    /// Ends the trial of this program: it is kept.
    ///
    /// # Errors
    /// If the record can't be written. Then the agent must end, and the program before it is put back.
    pub fn keep(&mut self) -> anyhow::Result<()> {
        self.record.keep();
        self.save()?;
        platform::cancel_end();
        self.remove_others();
        Ok(())
    }

    /// Ends an update that did not come to a trial.
    pub fn fail(&mut self, why: &str) {
        self.record.fail(why);
        self.save_or_log();
    }

    /// Returns the version of this program.
    fn running_version(&self) -> LabelVersion {
        let own = self.record.current.as_ref().filter(|current| own_file().as_ref() == Some(&current.file));
        own.and_then(|current| LabelVersion::parse(&current.version)).unwrap_or_else(built_version)
    }

    fn save(&self) -> anyhow::Result<()> {
        self.record.save(&self.folder).with_context(|| format!("{} can't be written", self.folder.display()))
    }

    /// Writes the record, or logs why it can't: a full disk must not end the agent. The step is taken again after the
    /// next start.
    fn save_or_log(&self) {
        if let Err(error) = self.save() {
            tracing::error!("{error:#}");
        }
    }

    /// Removes programs that were replaced, or that have failed.
    fn remove_others(&self) {
        let on_trial = match &self.record.stage {
            Some(UpdateStage::OnTrial(trial)) => Some(&trial.program),
            _ => None,
        };
        let named: Vec<_> = self.record.current.iter().chain(on_trial).map(|program| program.file.as_str()).collect();
        let is_other = |name: &str| name.starts_with(NAME) && !named.contains(&name);
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(is_other)
                && let Err(error) = fs::remove_file(entry.path())
            {
                tracing::warn!("{} can't be removed: {error}", entry.path().display());
            }
        }
    }
}
