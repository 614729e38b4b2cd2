//! The scenarios of cards. They never change once a card with them was published: a change is a new set.

use anyhow::{Context, bail};
use serde::Deserialize;
use toml::Table;

use super::text_file::parse;

/// The name of the set.
pub const SET: &str = "card-v1";

/// The scenarios of the set in their order.
const SCENARIOS: [(&str, &str); 8] = [
    ("steady", include_str!("../../scenarios/card-v1/steady.toml")),
    ("burst", include_str!("../../scenarios/card-v1/burst.toml")),
    ("churn", include_str!("../../scenarios/card-v1/churn.toml")),
    ("storm", include_str!("../../scenarios/card-v1/storm.toml")),
    ("restart", include_str!("../../scenarios/card-v1/restart.toml")),
    ("slow-readers", include_str!("../../scenarios/card-v1/slow-readers.toml")),
    ("half-open", include_str!("../../scenarios/card-v1/half-open.toml")),
    ("overload", include_str!("../../scenarios/card-v1/overload.toml")),
];

/// A scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardScenario {
    /// The name of the file, without its ending.
    #[serde(skip)]
    pub name: String,
    /// The name of the scenario, for people.
    pub title: String,
    /// What it asks, in one sentence.
    pub question: String,
    /// How often it is repeated.
    pub repeats: u64,
    /// The number of terminals; in an overload, the number with which the search for the capacity begins.
    pub terminals: usize,
    /// The flags of `muster-loadgen run`. `{restart}` is the command that restarts the server.
    pub run: Table,
    /// Further flags of a small card.
    pub small: Table,
    /// Makes it an overload: the capacity is found first.
    pub overload: Option<OverloadRules>,
}

/// How the capacity is found, and what is offered then.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverloadRules {
    /// The objective of a run that the server bears, as for `--slo`. All that is owed must be delivered, too.
    pub objective: String,
    /// The most terminals that the search tries.
    pub most: usize,
    /// How many times the capacity is offered.
    pub offered: Vec<usize>,
    /// The flags of the runs that offer it, besides those of `run`.
    pub run: Table,
}

/// The scenarios of these names, in the order of the set; all if there are no names. Fails if a name is unknown.
pub fn chosen(names: &[String]) -> anyhow::Result<Vec<CardScenario>> {
    let known = || SCENARIOS.map(|(name, _)| name).join(", ");
    if let Some(name) = names.iter().find(|name| SCENARIOS.iter().all(|(known, _)| known != name)) {
        bail!("--scenarios {name}: it is one of {}", known());
    }
    let asked = |name: &str| names.is_empty() || names.iter().any(|asked| asked == name);
    let parsed = |(name, text): &(&str, &str)| {
        let mut scenario: CardScenario = parse(name, text).context(SET)?;
        scenario.name = (*name).to_owned();
        Ok(scenario)
    };
    SCENARIOS.iter().filter(|(name, _)| asked(name)).map(parsed).collect()
}

impl CardScenario {
    /// Whether the server is restarted meanwhile, so that its process is another one at the end.
    pub fn restarts(&self) -> bool {
        self.run.values().any(|value| value.to_string().contains("{restart}"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{card::text_file::fill, config::scenario::flags_of};

    #[derive(Parser)]
    #[command(args_override_self = true)]
    struct Cli {
        #[command(flatten)]
        config: crate::config::Config,
    }

    fn check(name: &str, tables: &[&Table]) {
        let mut args: Vec<std::ffi::OsString> = ["x", "--target=raw", "--url=ws://h/"].map(Into::into).to_vec();
        for table in tables {
            let filled = fill(table, &[("restart", "kill 7".to_owned())].into());
            args.extend(flags_of(&filled).unwrap());
        }
        let cli = Cli::try_parse_from(args).unwrap_or_else(|error| panic!("{name}: {error}"));
        cli.config.validate().unwrap();
    }

    #[test]
    fn each_scenario_is_a_valid_command_line() {
        let all = chosen(&[]).unwrap();
        assert_eq!(all.len(), SCENARIOS.len());
        for scenario in all {
            check(&scenario.name, &[&scenario.run]);
            check(&scenario.name, &[&scenario.run, &scenario.small]);
            assert_eq!(scenario.restarts(), scenario.name == "restart");
            assert_eq!(scenario.overload.is_some(), scenario.name == "overload");
            if let Some(overload) = scenario.overload {
                check(&scenario.name, &[&scenario.run, &overload.run]);
            }
        }
    }

    #[test]
    fn an_unknown_name_and_an_unknown_field_are_told() {
        assert!(chosen(&["steedy".to_owned()]).unwrap_err().to_string().contains("steady, burst"));
        let wrong = SCENARIOS[0].1.replace("question", "qestion");
        let error = format!("{:#}", parse::<CardScenario>("steady", &wrong).unwrap_err());
        assert!(error.contains("steady") && error.contains("qestion"), "{error}");
    }
}
