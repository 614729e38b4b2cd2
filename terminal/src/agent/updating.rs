//! The update of the agent, as its loop sees it.

use std::future;

use anyhow::Context;
use muster_protocol::{CommandId, Payload};
use tokio::{
    task::JoinSet,
    time::{self, Instant},
};

use crate::{
    allowed::NotAllowed,
    settings::AgentSettings,
    update::{
        UpdateSettings, agent_update::AgentUpdate, fetched::ProgramFetch, record::UpdateEnd,
        updated_program::UpdatedProgram,
    },
};

/// What an update asks of the loop.
pub enum UpdateStep {
    /// The agent ends, and starts this program.
    Switch {
        /// The command that brought the program.
        command: CommandId,
        /// The program's version.
        version: String,
    },
    /// The result is to be sent.
    Ended(UpdateEnd),
}

/// An update, if the configuration allows any.
pub struct Updating {
    update: Option<AgentUpdate>,
    /// The program that is being fetched: one at most.
    fetching: JoinSet<(CommandId, anyhow::Result<UpdatedProgram>)>,
    /// When this program has proved itself. `None` if it need not prove itself, or is offline.
    keep_at: Option<Instant>,
}

impl Updating {
    /// Goes on with what was under way when the agent ended.
    ///
    /// # Errors
    /// If the folder for programs can't be used.
    pub fn open(settings: &AgentSettings) -> anyhow::Result<Self> {
        let AgentSettings { update, state, file, signers, tls, .. } = settings;
        let open =
            |update: UpdateSettings| AgentUpdate::open(update, state, file.clone(), signers.clone(), tls.files());
        let update = update.clone().map(open).transpose()?;
        let mut opened = Self { update, fetching: JoinSet::new(), keep_at: None };
        if let Some((command, fetch)) = opened.update.as_mut().and_then(AgentUpdate::resume) {
            tracing::info!(id = %command, "an update goes on");
            opened.fetch(command, fetch);
        }
        Ok(opened)
    }

    /// Returns what became of the last update. The agent sends it at each start, since a power cut may have lost it.
    pub fn ended(&self) -> Option<&UpdateEnd> {
        self.update.as_ref()?.ended()
    }

    /// Returns whether this program has to prove itself.
    pub fn is_on_trial(&self) -> bool {
        self.update.as_ref().is_some_and(AgentUpdate::is_on_trial)
    }

    /// Begins an update.
    ///
    /// # Errors
    /// If the update is not allowed.
    pub fn begin(&mut self, id: CommandId, payload: &Payload) -> Result<(), NotAllowed> {
        let update = self.update.as_mut().ok_or_else(|| NotAllowed("this box takes no updates".to_owned()))?;
        let fetch = update.begin(id, payload)?;
        self.fetch(id, fetch);
        Ok(())
    }

    /// Records that the agent is online: if it stays so, a program on trial is kept.
    pub fn online(&mut self) {
        if let Some(update) = &self.update
            && update.is_on_trial()
        {
            self.keep_at = Some(Instant::now() + update.settings.steady);
        }
    }

    /// Records that the agent is offline.
    pub fn offline(&mut self) {
        self.keep_at = None;
    }

    /// Waits for the next step. A caller that drops the future loses nothing.
    ///
    /// # Errors
    /// If the record can't be written.
    pub async fn next(&mut self) -> anyhow::Result<UpdateStep> {
        tokio::select! {
            Some(fetched) = self.fetching.join_next() => {
                let (command, fetched) = fetched.context("an update")?;
                self.fetched(command, fetched)
            }
            () = sleep_until(self.keep_at) => self.keep(),
        }
    }

    fn fetch(&mut self, command: CommandId, fetch: ProgramFetch) {
        self.fetching.spawn(async move { (command, fetch.run().await) });
    }

    fn fetched(&mut self, command: CommandId, fetched: anyhow::Result<UpdatedProgram>) -> anyhow::Result<UpdateStep> {
        let update = self.update.as_mut().context("an update without the section")?;
        let on_trial = fetched.and_then(|program| {
            let version = program.version.clone();
            update.put_on_trial(command, program).map(|()| version)
        });
        match on_trial {
            Ok(version) => Ok(UpdateStep::Switch { command, version }),
            Err(error) => {
                update.fail(&format!("{error:#}"));
                self.step_of_end()
            }
        }
    }

    fn keep(&mut self) -> anyhow::Result<UpdateStep> {
        self.keep_at = None;
        self.update.as_mut().context("a trial without the section")?.keep()?;
        self.step_of_end()
    }

    fn step_of_end(&self) -> anyhow::Result<UpdateStep> {
        self.ended().cloned().map(UpdateStep::Ended).context("an update that has ended has a result")
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => time::sleep_until(at).await,
        None => future::pending().await,
    }
}
