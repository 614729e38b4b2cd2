//! Does to the server what `--at` and `--attack` ask for, each at its time and with a mark on the time line.

use std::{process::Stdio, sync::Arc};

use tokio::{process::Command, task::JoinSet};

use super::{ProgramPipe, attackers::attack, fleet};
use crate::{
    clock::{Clock, nanos},
    config::{Config, PlannedAttack, TimedCommand},
    console::note,
    marks::{self, Marks},
    plan::{Partition, Plan},
};

/// What is done to the server. To drop this ends all of it.
pub struct Disturbances {
    attacks: JoinSet<()>,
    commands: JoinSet<bool>,
}

/// Starts the attacks and commands that the configuration asks for. Of several generators, the first one does so. Fails
/// if a URL can't be resolved.
pub async fn start(
    config: &Config,
    plan: &Arc<Plan>,
    partition: Partition,
    clock: Clock,
    marks: &Marks,
    program: Option<&ProgramPipe>,
) -> anyhow::Result<Disturbances> {
    let mut started = Disturbances { attacks: JoinSet::new(), commands: JoinSet::new() };
    if partition.rest > 0 {
        return Ok(started);
    }
    for timed in config.disturb.timed.clone() {
        started.commands.spawn(run(timed, plan.begin, clock, marks.clone()));
    }
    let mut dialers = fleet::attackers(config, partition, program).await?;
    for planned in config.disturb.attacks.clone() {
        let rest = dialers.split_off(planned.count.min(dialers.len()));
        let own = std::mem::replace(&mut dialers, rest);
        let marks = marks.clone();
        let begin = plan.begin;
        started.attacks.spawn(async move {
            let PlannedAttack { way, count, at } = planned;
            clock.wait_until(begin + nanos(at)).await;
            marks::set(&marks, clock, format!("attack {} x {count}", way.name()));
            // To drop the set ends its tasks.
            let mut lines = JoinSet::new();
            own.into_iter().for_each(|dialer| drop(lines.spawn(attack(way, dialer))));
            while lines.join_next().await.is_some() {}
        });
    }
    Ok(started)
}

/// Runs a command. Returns whether it succeeded.
async fn run(timed: TimedCommand, begin: u64, clock: Clock, marks: Marks) -> bool {
    let TimedCommand { at, command } = timed;
    clock.wait_until(begin + nanos(at)).await;
    marks::set(&marks, clock, command.clone());
    // The command's output must not be taken for the report.
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let failed = match shell.status().await {
        Ok(status) if status.success() => return true,
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    note(format!("muster-loadgen: --at: {command}: {failed}"));
    marks::set(&marks, clock, format!("{command}: {failed}"));
    false
}

impl Disturbances {
    /// Ends all attacks and commands. Returns whether a command failed.
    pub fn stop(mut self) -> bool {
        let mut failed = false;
        while let Some(ended) = self.commands.try_join_next() {
            failed |= !ended.unwrap_or(false);
        }
        self.attacks.abort_all();
        failed
    }
}
