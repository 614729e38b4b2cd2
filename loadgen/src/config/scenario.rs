//! Scenarios: named sets of flags. A scenario is a TOML file whose keys are the names of flags; a flag on the
//! command line overrides the scenario's. The keys become flags that clap parses, so a key without a flag is
//! refused, and both sources are checked alike.

use std::{ffi::OsString, fs};

use anyhow::{Context, bail};
use toml::{Table, Value};

/// The scenarios that are built into the program, by name.
const BUILT_IN: [(&str, &str); 9] = [
    ("steady", include_str!("../../scenarios/steady.toml")),
    ("churn", include_str!("../../scenarios/churn.toml")),
    ("storm", include_str!("../../scenarios/storm.toml")),
    ("rolling-restart", include_str!("../../scenarios/rolling-restart.toml")),
    ("slow-readers", include_str!("../../scenarios/slow-readers.toml")),
    ("command-mix", include_str!("../../scenarios/command-mix.toml")),
    ("anycable-jitter", include_str!("../../scenarios/anycable-jitter.toml")),
    ("anycable-avalanche", include_str!("../../scenarios/anycable-avalanche.toml")),
    ("centrifugo-connects", include_str!("../../scenarios/centrifugo-connects.toml")),
];

/// Replaces `--scenario NAME_OR_FILE` by the scenario's flags. They are placed before all other flags, so that later
/// flags override them. Fails if the scenario is neither built in nor a readable file, or if a value is of an
/// unsupported type.
pub fn expand(mut args: Vec<OsString>) -> anyhow::Result<Vec<OsString>> {
    let Some(at) = args.iter().position(|arg| arg == "--scenario") else { return Ok(args) };
    let Some(name) = args.get(at + 1).and_then(|name| name.to_str()).map(str::to_owned) else {
        bail!("--scenario needs a file or one of: {}", names());
    };
    args.drain(at..at + 2);
    let verb = 2.min(args.len());
    args.splice(verb..verb, flags(&name)?);
    Ok(args)
}

fn flags(name: &str) -> anyhow::Result<Vec<OsString>> {
    let text = match BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        Some((_, text)) => (*text).to_owned(),
        None => fs::read_to_string(name)
            .with_context(|| format!("--scenario {name} is neither a file that can be read nor one of: {}", names()))?,
    };
    let table: Table = text.parse().with_context(|| format!("--scenario {name}"))?;
    flags_of(&table).with_context(|| format!("--scenario {name}"))
}

/// The flags that the keys of a table name. A list gives a flag several times. Fails if a value is of an unsupported type.
pub fn flags_of(table: &Table) -> anyhow::Result<Vec<OsString>> {
    let values = table.iter().flat_map(|(key, value)| match value {
        Value::Array(list) => list.iter().map(|value| (key, value)).collect(),
        one => vec![(key, one)],
    });
    values.map(|(key, value)| flag(key, value)).collect()
}

/// Converts `key = value` to `--key=value`, and `key = true` to `--key`.
fn flag(key: &str, value: &Value) -> anyhow::Result<OsString> {
    Ok(match value {
        Value::Boolean(true) => format!("--{key}"),
        Value::String(text) => format!("--{key}={text}"),
        Value::Integer(_) | Value::Float(_) => format!("--{key}={value}"),
        _ => bail!("{key} must be a text, a number, true, or a list of texts"),
    }
    .into())
}

fn names() -> String {
    BUILT_IN.map(|(name, _)| name).join(", ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: crate::config::Config,
    }

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(Into::into).collect()
    }

    #[test]
    fn scenario_flags_come_before_those_of_the_command_line() {
        let args = expand(words("muster-loadgen run --for 1s --scenario steady")).unwrap();
        let title = args.iter().position(|arg| arg.to_str().is_some_and(|arg| arg.starts_with("--title")));
        assert!(title.is_some_and(|at| at < args.len() - 2), "{args:?}");
        assert_eq!(args.last().unwrap(), "1s");
        assert!(expand(words("muster-loadgen run --scenario nowhere")).unwrap_err().to_string().contains("steady"));
    }

    #[test]
    fn every_built_in_scenario_is_a_valid_command_line() {
        for (name, _) in BUILT_IN {
            let mut args = words("x --url=ws://h --api=http://h");
            args.extend(flags(name).unwrap());
            let cli = Cli::try_parse_from(args).unwrap_or_else(|error| panic!("{name}: {error}"));
            cli.config.validate().unwrap();
        }
    }
}
