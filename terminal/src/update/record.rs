//! Which program runs, and where an update stands: the file `programs.json`. The file is replaced by rename, so each
//! change is a whole step.

use std::{fs, io, path::Path};

use muster_protocol::{CommandId, selector::LabelVersion};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    request::UpdateRequest,
    trial::{BootTime, STARTS_MAX, UpdateTrial},
    updated_program::UpdatedProgram,
};
use crate::{durable, signature::is_older};

/// The name of the file.
const FILE: &str = "programs.json";

/// What the file says. Without a file: the installed program runs, and nothing is under way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProgramRecord {
    /// The program that has proved itself. `None`: the installed program runs.
    pub current: Option<UpdatedProgram>,
    /// The update that is under way.
    pub stage: Option<UpdateStage>,
    /// What became of the last update. The agent sends it after each start, since a power cut may have lost it on its
    /// way.
    pub ended: Option<UpdateEnd>,
}

/// Where an update stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateStage {
    /// The program is being fetched.
    Fetching {
        /// The command that asks for the program.
        command: CommandId,
        /// What the command asks for.
        request: UpdateRequest,
        /// How often the agent was started again meanwhile.
        starts: u32,
    },
    /// The program is there and has to prove itself.
    OnTrial(UpdateTrial),
}

/// How an update has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateEnd {
    /// The command.
    pub command: CommandId,
    /// Whether the new program runs.
    pub succeeded: bool,
    /// The reply.
    pub reply: Value,
}

/// What a start runs.
#[derive(Debug, PartialEq, Eq)]
pub struct ProgramStart {
    /// The program.
    pub program: UpdatedProgram,
    /// How long the program may take to prove itself, in seconds. `None` if it has done so.
    pub bound: Option<u32>,
}

impl ProgramRecord {
    /// Reads the record of a folder. Logs a record that can't be read, and takes it for an empty one: the installed
    /// program runs then.
    pub fn load(folder: &Path) -> Self {
        let file = folder.join(FILE);
        let read = || -> anyhow::Result<Self> { Ok(serde_json::from_str(&fs::read_to_string(&file)?)?) };
        read().unwrap_or_else(|error| {
            if file.exists() {
                tracing::error!("{} can't be read, and the installed program runs: {error:#}", file.display());
            }
            Self::default()
        })
    }

    /// Writes the record.
    pub fn save(&self, folder: &Path) -> io::Result<()> {
        durable::replace(&folder.join(FILE), &serde_json::to_vec_pretty(self)?)
    }

    /// Decides what a start runs. `None` is the installed program, which has the version `installed`. Counts a start of
    /// a trial, or ends the trial.
    pub fn begin_start(&mut self, installed: &LabelVersion, now: &BootTime) -> Option<ProgramStart> {
        if let Some(UpdateStage::OnTrial(trial)) = &mut self.stage {
            let program = trial.program.clone();
            match trial.begin_start(now) {
                Ok(left) => {
                    let bound = Some(u32::try_from(left.as_secs()).unwrap_or(u32::MAX));
                    return Some(ProgramStart { program, bound });
                }
                Err(why) => self.fail(&why),
            }
        }
        let is_newest = |current: &UpdatedProgram| {
            LabelVersion::parse(&current.version).is_some_and(|version| !is_older(&version, installed))
        };
        self.current.clone().filter(is_newest).map(|program| ProgramStart { program, bound: None })
    }

    /// Counts a start of an agent that was fetching. Returns what the agent is to go on with.
    pub fn resume_fetching(&mut self) -> Option<(CommandId, UpdateRequest)> {
        let Some(UpdateStage::Fetching { command, request, starts }) = &mut self.stage else { return None };
        *starts += 1;
        if *starts <= STARTS_MAX {
            return Some((*command, request.clone()));
        }
        self.fail(&format!("the agent was started {STARTS_MAX} times before the program was there"));
        None
    }

    /// Ends an update: the new program is kept.
    pub fn keep(&mut self) {
        if let Some(UpdateStage::OnTrial(trial)) = self.stage.take() {
            let reply = json!({ "version": trial.program.version, "starts": trial.starts });
            self.ended = Some(UpdateEnd { command: trial.command, succeeded: true, reply });
            self.current = Some(trial.program);
        }
    }

    /// Ends an update: the program before it runs on.
    pub fn fail(&mut self, why: &str) {
        let (command, reply) = match self.stage.take() {
            None => return,
            Some(UpdateStage::Fetching { command, .. }) => (command, json!({ "error": why })),
            Some(UpdateStage::OnTrial(UpdateTrial { command, program, .. })) => {
                (command, json!({ "error": format!("version {} was put back: {why}", program.version) }))
            }
        };
        self.ended = Some(UpdateEnd { command, succeeded: false, reply });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> LabelVersion {
        LabelVersion::parse(text).unwrap()
    }

    fn program(version: &str) -> UpdatedProgram {
        UpdatedProgram { file: format!("muster-terminal-{version}"), version: version.into() }
    }

    fn at(boot: &str, seconds: u64) -> BootTime {
        BootTime { boot: boot.into(), seconds }
    }

    /// Returns a record by which version 1 runs, and version 2 is on trial for 60 s.
    fn on_trial() -> ProgramRecord {
        let command = "00000000-0000-7000-8000-000000000001".parse().unwrap();
        let trial = UpdateTrial { command, program: program("2"), starts: 0, since: at("a", 0), bound: 60 };
        ProgramRecord { current: Some(program("1")), stage: Some(UpdateStage::OnTrial(trial)), ended: None }
    }

    /// Returns what a start runs: its version, and the seconds that it has.
    fn start(record: &mut ProgramRecord, now: &BootTime) -> Option<(String, Option<u32>)> {
        record.begin_start(&version("0.1"), now).map(|start| (start.program.version, start.bound))
    }

    #[test]
    fn a_trial_has_three_starts_and_one_bound() {
        let mut record = on_trial();
        assert_eq!(start(&mut record, &at("a", 100)), Some(("2".into(), Some(60))));
        assert_eq!(start(&mut record, &at("a", 130)), Some(("2".into(), Some(30))));
        // Another boot: the time without power does not count.
        assert_eq!(start(&mut record, &at("b", 500)), Some(("2".into(), Some(60))));
        assert_eq!(start(&mut record, &at("b", 501)), Some(("1".into(), None)));
        let ended = record.ended.unwrap();
        assert!(!ended.succeeded && ended.reply.to_string().contains("3 times"), "{}", ended.reply);
        assert_eq!((record.stage, record.current), (None, Some(program("1"))));
    }

    #[test]
    fn a_trial_ends_with_its_bound_or_when_it_is_kept() {
        let mut record = on_trial();
        start(&mut record, &at("a", 100));
        let mut late = record.clone();
        assert_eq!(start(&mut late, &at("a", 160)), Some(("1".into(), None)));
        assert!(late.ended.unwrap().reply.to_string().contains("within 60 s"));
        record.keep();
        assert_eq!(start(&mut record, &at("a", 1000)), Some(("2".into(), None)));
        assert!(record.ended.unwrap().succeeded);
    }

    #[test]
    fn an_installed_program_that_is_newer_runs() {
        let mut record = on_trial();
        record.stage = None;
        assert_eq!(record.begin_start(&version("1.1"), &at("a", 0)), None);
        assert!(record.begin_start(&version("1.0"), &at("a", 0)).is_some());
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_one_that_is_torn_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ProgramRecord::load(folder.path()), ProgramRecord::default());
        on_trial().save(folder.path()).unwrap();
        assert_eq!(ProgramRecord::load(folder.path()), on_trial());
        fs::write(folder.path().join(FILE), "{\"current\":").unwrap();
        assert_eq!(ProgramRecord::load(folder.path()), ProgramRecord::default());
    }
}
