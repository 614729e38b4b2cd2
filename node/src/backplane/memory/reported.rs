//! Takes what sessions have reported.

use muster_protocol::CommandId;
use tokio::time;

use super::{MemoryBackplane, NodeStore, envelope::Envelope, step_times::ReachedTargets};
use crate::{
    backplane::command_record::accepted_ms,
    reports::{ReportBatch, StateReport},
};

impl MemoryBackplane {
    /// Takes reports for ever.
    pub(super) async fn take_reports(&self) {
        let mut ticks = time::interval(self.report_interval);
        loop {
            ticks.tick().await;
            self.take_reported(&mut self.store());
        }
    }

    /// Takes what was reported until now. The store is locked before the reports are taken out of their table, so whoever has the lock and
    /// calls this has everything of before in the store: what a terminal did stands there before its session ends.
    pub(super) fn take_reported(&self, store: &mut NodeStore) {
        self.take(self.reports.drain(), store);
    }

    fn take(&self, batch: ReportBatch, store: &mut NodeStore) {
        store.take_states(&batch);
        let walks = batch.walks.iter().map(|(step, ..)| step);
        walks.chain(batch.steps.keys()).for_each(|step| self.waiters.wake(step.command));
        let mut dropped = batch.dropped;
        let NodeStore { ordinals, commands, terminals, events, .. } = store;
        for (command, terminal, payload) in batch.replies {
            dropped += u64::from(!commands.reply(command, ordinals.reporting(&terminal), payload));
        }
        batch.vitals.into_iter().for_each(|(terminal, vitals)| terminals.vitals(&terminal, vitals));
        for event in batch.events {
            events.record(&event);
            // A terminal that is told nothing sends the event again.
            if let Some(receipt) = event.receipt {
                let _ = self.send(Envelope::Stored { terminal: event.terminal, receipt });
            }
        }
        commands.budget.used.events = events.bytes();
        if dropped > 0 {
            self.metrics.reports_dropped.with_label_values(&["no_room"]).inc_by(dropped);
        }
    }
}

impl NodeStore {
    /// Raises states: those that many terminals reached at once, and then those that terminals reached one by one, the lower states
    /// first, so that a state is not passed over which was reported in time.
    fn take_states(&mut self, batch: &ReportBatch) {
        for (step, at, terminals) in &batch.walks {
            let set = self.rosters.set(terminals, &self.ordinals);
            self.raise(*step, &ReachedTargets::Together(set, since(step.command, *at)));
        }
        if !batch.walks.is_empty() {
            self.rosters.forget_unused();
        }
        let mut steps: Vec<_> = batch.steps.iter().collect();
        steps.sort_unstable_by_key(|(step, _)| step.state.rank());
        for (step, terminals) in steps {
            let of = |(terminal, at)| Some((self.ordinals.reporting(terminal)?, since(step.command, at)));
            let reached = terminals.iter().map(|(terminal, at)| (terminal, *at)).filter_map(of).collect();
            self.raise(*step, &ReachedTargets::Each(reached));
        }
    }

    fn raise(&mut self, step: StateReport, reached: &ReachedTargets) {
        if let Some((rose, event)) = self.commands.raise(step, reached) {
            self.minutes.count(step.state.name(), rose);
            self.events.push("command.state", event);
            self.tell_if_done(step.command);
        }
    }
}

/// How long after the acceptance of a command something happened, in ms.
fn since(command: CommandId, at: u64) -> u64 {
    at.saturating_sub(accepted_ms(command))
}
