//! Plays the scenarios, several at once, and makes one report of their verdicts. A scenario in which a rule seems to be broken is played
//! again, alone: what a busy machine has done does not come again, and what the client does, does.

use std::{collections::BTreeMap, ffi::OsString, sync::Arc};

use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    report::{KitReport, RuleVerdict, Verdict},
    rules::{RULES, Rule},
    scenarios::{SCENARIOS, Scenario},
    stage::Stage,
};

/// How the client is run.
pub struct Runner {
    /// The conformance program and its arguments.
    pub command: Vec<OsString>,
    /// What needs headers or the status of a refused handshake is left out.
    pub is_browser: bool,
    /// How many scenarios run at once.
    pub at_once: usize,
    /// How often a scenario in which a rule seems to be broken is played again.
    pub again: u64,
}

/// The verdicts of one scenario.
type Played = (&'static Scenario, BTreeMap<&'static str, Verdict>);

impl Runner {
    /// Plays the scenarios of these rules, or all of them if none is named.
    ///
    /// # Errors
    /// If the program can't be started.
    pub async fn run(&self, client: &str, rules: &[&'static Rule]) -> anyhow::Result<KitReport> {
        let is_asked = |id: &str| rules.is_empty() || rules.iter().any(|rule| rule.id == id);
        self.check_program()?;
        let places = Arc::new(Semaphore::new(self.at_once));
        let mut playing = JoinSet::new();
        for scenario in SCENARIOS.iter().filter(|scenario| scenario.rules.iter().any(|id| is_asked(id))) {
            if self.is_browser && scenario.needs_status {
                continue;
            }
            let stage = Stage::new(&self.command).await?;
            let places = places.clone();
            playing.spawn(async move {
                let _place = places.acquire_owned().await;
                (scenario, play(scenario, stage).await)
            });
        }
        let mut judged = Vec::new();
        while let Some(played) = playing.join_next().await {
            judged.push(played?);
        }
        for (scenario, verdicts) in &mut judged {
            for _ in 0..self.again {
                if verdicts.values().any(Verdict::is_broken) {
                    *verdicts = play(scenario, Stage::new(&self.command).await?).await;
                }
            }
        }
        let verdicts = RULES.iter().map(|rule| (rule.id, self.sum(rule, &judged)));
        // What nobody asked for is told where it is broken: it may be why the rest could not be tried.
        let told = verdicts.filter(|(id, verdict)| is_asked(id) || verdict.verdict.is_broken());
        Ok(KitReport { client: client.to_owned(), rules: told.map(|(_, verdict)| verdict).collect() })
    }

    /// Whether there is such a program at all.
    fn check_program(&self) -> anyhow::Result<()> {
        let program = std::path::Path::new(&self.command[0]);
        let is_path = program.components().count() > 1;
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let is_there = match is_path {
            true => program.is_file(),
            false => std::env::split_paths(&folders).any(|folder| folder.join(program).is_file()),
        };
        anyhow::ensure!(is_there, "there is no program {}: give the conformance program after --", program.display());
        Ok(())
    }

    /// The verdict on a rule over all scenarios: one break counts.
    fn sum(&self, rule: &Rule, judged: &[Played]) -> RuleVerdict {
        let mut found: Option<(&Scenario, &Verdict)> = None;
        for (scenario, verdicts) in judged {
            if let Some(verdict) = verdicts.get(rule.id)
                && !found.is_some_and(|(_, earlier)| earlier.is_broken())
            {
                found = Some((scenario, verdict));
            }
        }
        let hidden = if self.is_browser { "a browser hides what it needs" } else { "no scenario came that far" };
        let why = rule.why_untried().unwrap_or(hidden).to_owned();
        let verdict = found.map_or(Verdict::NotTried { why }, |(_, verdict)| verdict.clone());
        let scenario = found.map(|(scenario, _)| scenario.name.to_owned());
        RuleVerdict { rule: rule.id.to_owned(), says: rule.says.to_owned(), scenario, verdict }
    }
}

async fn play(scenario: &Scenario, mut stage: Stage) -> BTreeMap<&'static str, Verdict> {
    // A scenario that stops early has said why by the verdict on a rule.
    let _ = (scenario.play)(&mut stage).await;
    stage.kill();
    stage.into_verdicts()
}
