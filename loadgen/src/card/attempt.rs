//! One run of `muster-loadgen` against a server, as a process on the generator's cores.

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path, process::Stdio, time::Duration};

use anyhow::Context;
use rustix::process::Signal;
use tokio::{process::Command, time::timeout};
use toml::Table;

use super::{
    CardScenario, CardServer,
    bench::Bench,
    process::{ServerProcesses, signal_group},
    repeat::RepeatResult,
    shell::Shell,
    text_file::fill,
};
use crate::{config::scenario::flags_of, report::Report};

/// How long a run may take before it is ended early.
const LIMIT: Duration = Duration::from_secs(600);
/// How long a run that was ended early has to write its report.
const REPORT: Duration = Duration::from_secs(30);

/// What one run is.
pub struct Attempt {
    /// Its title.
    title: String,
    /// The number of terminals of a whole card.
    pub terminals: usize,
    seed: u64,
    /// The flags of its scenario.
    run: Table,
    /// Further flags of a small card.
    small: Table,
    /// The objective; empty if there is none.
    pub objective: String,
    restarts: bool,
}

impl Attempt {
    /// A run of a scenario with this seed.
    pub fn of(scenario: &CardScenario, seed: u64) -> Self {
        Self {
            title: scenario.title.clone(),
            terminals: scenario.terminals,
            seed,
            run: scenario.run.clone(),
            small: scenario.small.clone(),
            objective: String::new(),
            restarts: scenario.restarts(),
        }
    }

    /// The same run with these flags instead of its own of the same names, or besides.
    pub fn with(mut self, table: &Table) -> Self {
        self.run.extend(table.clone());
        self
    }

    /// Starts the server, plays the run against it, and ends it. A run without a report is a result that nobody can know.
    pub async fn play(&self, bench: &Bench, server: &CardServer) -> anyhow::Result<RepeatResult> {
        let shell = bench.shell(server)?;
        shell.empty_run_folder()?;
        let processes = ServerProcesses::start(&shell, server).await?;
        let played = self.play_against(bench, server, &shell, &processes).await;
        processes.stop(&shell, server).await;
        played
    }

    async fn play_against(
        &self,
        bench: &Bench,
        server: &CardServer,
        shell: &Shell,
        processes: &ServerProcesses,
    ) -> anyhow::Result<RepeatResult> {
        let file = shell.folder.join("report.json");
        let log = shell.folder.join("generator.log");
        if file.exists() {
            fs::remove_file(&file).with_context(|| file.display().to_string())?;
        }
        let starts = processes.starts();
        let flags = self.flags(bench, server, shell, processes, &file)?;
        let code = generator(bench, shell, flags, &log).await?;
        // A restart that was asked for is no death.
        let alive = self.restarts || processes.starts() == starts;
        let report = fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str::<Report>(&text).ok());
        Ok(match report {
            Some(report) => RepeatResult::of(&report, code, self.restarts, alive),
            None => {
                let told = fs::read_to_string(&log).unwrap_or_default();
                let last = told.lines().last().unwrap_or("it said nothing");
                let why = format!("the run left no report: {last}");
                RepeatResult::missing(self.seed, bench.terminals(self.terminals), why, code, alive)
            }
        })
    }

    fn flags(
        &self,
        bench: &Bench,
        server: &CardServer,
        shell: &Shell,
        processes: &ServerProcesses,
        file: &Path,
    ) -> anyhow::Result<Vec<OsString>> {
        let restart = format!("PID=$(cat \"$RUN/pid\") && {{ {}; }}", server.restart());
        let port = |name: &str| shell.variable(name).to_owned();
        let values: BTreeMap<&str, String> =
            [("restart", restart), ("port", port("PORT")), ("port2", port("PORT2")), ("port3", port("PORT3"))].into();
        // A later table has the last word on a flag.
        let mut table = server.run.clone();
        let small = Some(&self.small).filter(|_| bench.small);
        std::iter::once(&self.run).chain(small).for_each(|later| table.extend(later.clone()));
        let mut flags = flags_of(&fill(&table, &values)).with_context(|| format!("{}: [run]", server.name))?;
        let mut add = |name: &str, value: String| flags.push(format!("--{name}={value}").into());
        add("title", format!("{}: {}", server.title, self.title));
        add("terminals", bench.terminals(self.terminals).to_string());
        add("seed", self.seed.to_string());
        add("slo", self.objective.clone());
        if !self.restarts {
            add("watch", processes.watched());
        }
        add("json", file.display().to_string());
        Ok(flags)
    }
}

/// Runs the generator, and ends it early if the card is. Returns its exit code; `None` if it was killed.
async fn generator(bench: &Bench, shell: &Shell, flags: Vec<OsString>, log: &Path) -> anyhow::Result<Option<i32>> {
    let mut words: Vec<OsString> = bench.cores.before_generator().into_iter().map(Into::into).collect();
    words.extend([shell.variable("LOADGEN").into(), "run".into(), "--no-tui".into()]);
    words.extend(flags);
    let log = fs::File::create(log).with_context(|| log.display().to_string())?;
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).envs(&shell.variables).current_dir(&shell.folder).process_group(0).kill_on_drop(true);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().context("the generator")?;
    let ended = tokio::select! {
        ended = timeout(LIMIT, child.wait()) => ended.ok(),
        () = bench.interrupt.requested() => None,
    };
    if let Some(status) = ended {
        return Ok(status?.code());
    }
    signal_group(child.id().unwrap_or_default(), Signal::TERM);
    match timeout(REPORT, child.wait()).await {
        Ok(status) => Ok(status?.code()),
        Err(_) => {
            signal_group(child.id().unwrap_or_default(), Signal::KILL);
            Ok(child.wait().await?.code())
        }
    }
}
