//! The commands that the configuration allows: which program each of them runs. No shell ever sees what an operator
//! sends.

use std::{path::Path, time::Duration};

use anyhow::ensure;
use muster_protocol::Payload;
use serde::Deserialize;
use serde_json::Value;

use crate::{limits::check_time, program::ProgramCall};

/// The longest argument from a payload, in bytes.
const ARGUMENT_MAX: usize = 4096;
/// The longest time that a command may take.
const WITHIN_MAX: Duration = Duration::from_secs(24 * 3600);

/// One command of the section `commands`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedCommand {
    /// The program, as a path from the root, and its first arguments.
    pub program: Vec<String>,
    /// How many arguments follow from the payload, which is a JSON list of as many texts or numbers; 0 by default.
    #[serde(default)]
    pub arguments: usize,
    /// Whether an argument from the payload may begin with `-`, which most programs take for an option; false by
    /// default.
    #[serde(default)]
    pub options: bool,
    /// How long the program may take; 60 s by default, 24 h at most. After this time the agent ends it, with what it
    /// has started.
    #[serde(default = "a_minute", with = "humantime_serde")]
    pub within: Duration,
}

/// Why a command is not run. The text is the reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAllowed(pub String);

impl AllowedCommand {
    /// Checks what the configuration says.
    pub fn check(&self) -> anyhow::Result<()> {
        check_program(&self.program)?;
        check_time("within", self.within, WITHIN_MAX)
    }

    /// Returns the program to run for a payload.
    ///
    /// # Errors
    /// If the payload is not what this command takes.
    pub fn call(&self, payload: &Payload) -> Result<ProgramCall, NotAllowed> {
        let given = arguments(payload)?;
        if given.len() != self.arguments {
            return Err(NotAllowed(format!(
                "this command takes {} arguments, and the payload has {}",
                self.arguments,
                given.len()
            )));
        }
        if let Some(at) = given.iter().position(|argument| !self.may_be(argument)) {
            let why = format!(
                "argument {} can't be used: it is longer than {ARGUMENT_MAX} bytes, has a zero byte, or begins with `-`",
                at + 1
            );
            return Err(NotAllowed(why));
        }
        let line = self.program.iter().cloned().chain(given).collect();
        Ok(ProgramCall { line, within: self.within })
    }

    fn may_be(&self, argument: &str) -> bool {
        let is_option = argument.starts_with('-') && !self.options;
        !is_option && argument.len() <= ARGUMENT_MAX && !argument.contains('\0')
    }
}

/// Checks that a program has a path from the root: the path must not depend on where the agent was started.
pub fn check_program(program: &[String]) -> anyhow::Result<()> {
    ensure!(
        program.first().is_some_and(|path| Path::new(path).is_absolute()),
        "program: it begins with a path from the root, as /usr/bin/show"
    );
    ensure!(!program.iter().any(|word| word.contains('\0')), "program: no part of it may have a zero byte");
    Ok(())
}

/// Returns the arguments of a payload: the members of a list. No arguments if the payload is empty or `null`.
fn arguments(payload: &Payload) -> Result<Vec<String>, NotAllowed> {
    let refusal = || NotAllowed("the payload must be a JSON list of texts and numbers".into());
    if payload.is_bytes() {
        return Err(refusal());
    }
    let text = |value: Value| match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(refusal()),
    };
    match serde_json::from_str(payload.as_json()) {
        Ok(Value::Null) => Ok(Vec::new()),
        Ok(Value::Array(values)) => values.into_iter().map(text).collect(),
        _ => Err(refusal()),
    }
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn command(arguments: usize) -> AllowedCommand {
        AllowedCommand {
            program: vec!["/bin/show".into(), "--to".into()],
            arguments,
            options: false,
            within: a_minute(),
        }
    }

    fn line(command: &AllowedCommand, payload: &Value) -> Option<Vec<String>> {
        command.call(&Payload::from_value(payload)).ok().map(|call| call.line)
    }

    #[test]
    fn arguments_follow_by_position_and_are_never_taken_apart() {
        let line = line(&command(2), &json!(["a b; $(reboot) `x`\n", 1.5])).unwrap();
        assert_eq!(line, ["/bin/show", "--to", "a b; $(reboot) `x`\n", "1.5"]);
    }

    #[test]
    fn a_payload_that_does_not_fit_is_refused() {
        for (count, payload) in [
            (0, json!(["one too many"])),
            (1, json!([])),
            (1, json!(null)),
            (1, json!("not a list")),
            (1, json!([["nested"]])),
            (1, json!([true])),
            (1, json!(["--help"])),
            (1, json!(["zero\u{0}byte"])),
            (1, json!(["x".repeat(ARGUMENT_MAX + 1)])),
        ] {
            assert_eq!(line(&command(count), &payload), None, "{payload}");
        }
        assert!(command(0).call(&Payload::from_bytes(b"[]")).is_err());
        assert!(line(&command(0), &json!(null)).is_some());
        assert!(line(&AllowedCommand { options: true, ..command(1) }, &json!(["--help"])).is_some());
    }
}
