//! Completion in a shell: of commands and flags, and of what the cluster knows.
//!
//! The script of [`script`] has the shell call `muster` for each word that is to be completed. [`answer_shell`] answers
//! such a call.

mod candidates;

use std::{env, io, path, process, sync::OnceLock};

use clap::Command;
use clap_complete::{CompleteEnv, Shell, env::Shells};

pub use self::candidates::CandidateKind;

/// The variable by which a shell says that it wants a word completed, and how it is written for this shell.
const VARIABLE: &str = "MUSTER_COMPLETE";
/// The command whose words are completed.
static COMMAND: OnceLock<fn() -> Command> = OnceLock::new();

/// Answers a shell that wants a word of this command completed, and then ends the process. Says nothing of a failure:
/// the text would stand in the middle of the line.
pub fn answer_shell(command: fn() -> Command) {
    let (command, folder) = (COMMAND.get_or_init(|| command), env::current_dir().ok());
    match CompleteEnv::with_factory(command).var(VARIABLE).try_complete(env::args_os(), folder.as_deref()) {
        Ok(false) => {}
        Ok(true) => process::exit(0),
        Err(_) => process::exit(1),
    }
}

/// Returns the script that makes a shell complete the words of `muster`.
///
/// # Errors
/// If there is no script for this shell.
pub fn script(shell: Shell) -> io::Result<Vec<u8>> {
    let (shells, name) = (Shells::builtins(), shell.to_string());
    let completer = shells.completer(&name).ok_or_else(|| io::Error::other(format!("no script for {name}")))?;
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, "muster", "muster", &program(), &mut script)?;
    if shell == Shell::Bash {
        script.extend_from_slice(include_bytes!("join_words.bash"));
    }
    Ok(script)
}

/// Returns the path by which the shell calls this program: the path of this call, whatever the shell's folder is by
/// then.
fn program() -> String {
    let called = env::args_os().next().unwrap_or_else(|| "muster".into()).to_string_lossy().into_owned();
    match called.contains('/') {
        true => path::absolute(&called).map_or(called, |path| path.to_string_lossy().into_owned()),
        false => called,
    }
}
