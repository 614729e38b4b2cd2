//! Starts the program that is to run, in the place of this one.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use muster_protocol::selector::LabelVersion;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    folder,
    record::{ProgramRecord, ProgramStart},
    trial::BootTime,
};
use crate::platform;

/// The variable that gives a program the name of its own file, if an update has brought it. The installed program has
/// none.
const STARTED: &str = "MUSTER_TERMINAL_PROGRAM";

/// What a start needs to know of the configuration. It skips the other settings: a later program may know some that the
/// installed one does not.
#[derive(Deserialize)]
struct StartSettings {
    #[serde(default = "platform::state_folder")]
    state: PathBuf,
    update: Option<IgnoredAny>,
}

/// Returns the name of this program's file, if an update has brought it.
pub fn own_file() -> Option<String> {
    env::var(STARTED).ok()
}

/// Returns the version of the installed program, if this is the installed one.
pub fn built_version() -> LabelVersion {
    LabelVersion::parse(env!("CARGO_PKG_VERSION")).expect("cargo has checked the version")
}

/// Starts the program that the record names, in the place of this one. Returns if the record names this one.
pub fn start_chosen(config: &Path) {
    let Some(folder) = folder_of(config) else { return };
    loop {
        let mut record = ProgramRecord::load(&folder);
        let before = record.clone();
        let start = record.begin_start(&built_version(), &BootTime::now());
        if record != before
            && let Err(error) = record.save(&folder)
        {
            return tracing::error!("{} can't be written, and this program runs: {error}", folder.display());
        }
        let Some(start) = start.filter(|start| own_file().as_ref() != Some(&start.program.file)) else { return };
        let error = replace_process(&folder, &start);
        tracing::error!("{} can't be started: {error}", start.program.file);
        if start.bound.is_none() {
            return;
        }
        record.fail(&format!("it can't be started: {error}"));
        if record.save(&folder).is_err() {
            return;
        }
    }
}

/// Returns the folder for programs. `None` if the configuration can't be read, which another check reports, or if it
/// has no section `update`.
fn folder_of(config: &Path) -> Option<PathBuf> {
    let settings: StartSettings = toml::from_str(&fs::read_to_string(config).ok()?).ok()?;
    settings.update.map(|_| folder(&settings.state))
}

/// Replaces this process by the program. Returns why the program was not started.
fn replace_process(folder: &Path, start: &ProgramStart) -> io::Error {
    let file = &start.program.file;
    let mut command = Command::new(folder.join(file));
    // The kernel ends a program that does not prove itself in time, whatever it does.
    platform::replace_process(command.args(env::args_os().skip(1)).env(STARTED, file), start.bound)
}
