//! Takes the steps of rollouts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use jiff::Timestamp;
use muster_protocol::api::RolloutState;
use tokio::time;

use super::{
    next_step::next_step,
    outcome::{portion_counts, wave_outcome},
    step::RolloutStep,
};
use crate::{
    backplane::{
        Backplane, BackplaneError, CommandRecord, FrozenPlace, PortionRecord, ROLLOUT_BYTES, ROLLOUTS_CARRIED_FOR,
        RolloutChange, RolloutRecord, StoredRollout,
    },
    metrics::Metrics,
};

/// The interval at which a node asks whether it carries rollouts on.
const INTERVAL: Duration = Duration::from_secs(1);
/// The time after which the steps of a rollout wait until the next turn.
const TURN: Duration = Duration::from_millis(700);
/// The time after which nothing is sent any more by what was read: a node that was stopped begins anew.
const STALE_AFTER: Duration = Duration::from_secs(10);

/// Carries rollouts on, if no other node does.
pub struct RolloutCarrier {
    pub(super) backplane: Arc<dyn Backplane>,
    pub(super) metrics: Arc<Metrics>,
}

/// A rollout while steps are taken for it.
pub(super) struct RolloutTurn {
    pub(super) stored: StoredRollout,
    /// The store's time when it was read.
    read_at: Timestamp,
    /// The same moment by this node's clock, or an earlier one.
    since: Instant,
}

impl RolloutCarrier {
    /// The carrier of a node.
    pub fn new(backplane: Arc<dyn Backplane>, metrics: Arc<Metrics>) -> Self {
        Self { backplane, metrics }
    }

    /// Carries rollouts on for ever.
    pub async fn run(&self) {
        for number in 0.. {
            time::sleep(INTERVAL).await;
            if let Err(error) = self.carry_all(number).await {
                tracing::debug!(%error, "rollouts wait for the store");
            }
        }
    }

    /// Carries all open rollouts on, for as long as no other node may do so. Each time another one is the first.
    async fn carry_all(&self, number: usize) -> Result<(), BackplaneError> {
        let since = Instant::now();
        let carried = self.backplane.carried_rollouts().await?;
        let mut open = carried.open.unwrap_or_default();
        let first = number.checked_rem(open.len()).unwrap_or_default();
        open.rotate_left(first);
        for stored in open {
            if since.elapsed() >= ROLLOUTS_CARRIED_FOR {
                break;
            }
            self.carry(RolloutTurn { stored, read_at: carried.now, since }).await;
        }
        Ok(())
    }

    async fn carry(&self, mut turn: RolloutTurn) {
        let (rollout, began) = (turn.record().id, Instant::now());
        while began.elapsed() < TURN {
            match self.take_step(&mut turn).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::debug!(%rollout, %error, "a step of a rollout is taken again");
                    return;
                }
            }
        }
    }

    /// Takes the next step. False if there is none now.
    async fn take_step(&self, turn: &mut RolloutTurn) -> Result<bool, BackplaneError> {
        let commands = self.wave_commands(turn.record()).await?;
        let outcome = wave_outcome(turn.record(), &commands, turn.now());
        match next_step(turn.record(), &outcome, turn.now()) {
            RolloutStep::Wait => Ok(false),
            RolloutStep::Enter(state, reason) => self.enter(turn, state, reason, &commands).await,
            RolloutStep::Freeze => self.freeze(turn).await,
            RolloutStep::Begin { wave, positions, only } => {
                let mut record = turn.record().clone();
                let is_next = wave != record.wave || record.portions.is_empty();
                if is_next {
                    keep_counts(&mut record, &commands, turn.now());
                }
                if let Some(held) = record.portions.last_mut().and_then(|last| last.held.as_mut()) {
                    (held.rest, held.is_carried_on) = (None, true);
                }
                let portion = PortionRecord::new(record.numbers, wave, positions, only, turn.now());
                (record.wave, record.numbers) = (wave, record.numbers + 1);
                record.portions.push(portion);
                let index = record.portions.len() - 1;
                Ok(self.save(turn, record, &[], is_next).await? && self.accept(turn, index).await?)
            }
            RolloutStep::Accept(index) => self.accept(turn, index).await,
            RolloutStep::Look(index) => self.look(turn, index).await,
            RolloutStep::Hold(index) => self.hold(turn, index).await,
            RolloutStep::KeepRest(index) => self.keep_rest(turn, index).await,
            RolloutStep::Cancel(index) => self.cancel(turn, index).await,
        }
    }

    /// The commands of the wave under way, if they are needed to decide what comes next.
    async fn wave_commands(&self, record: &RolloutRecord) -> Result<Vec<Option<CommandRecord>>, BackplaneError> {
        if !matches!(record.state, RolloutState::Running | RolloutState::WaitingWindow) {
            return Ok(Vec::new());
        }
        let portions = record.portions.iter().filter(|portion| portion.wave == record.wave);
        let found = portions.map(|portion| async move {
            match portion.command {
                Some(command) => self.backplane.command(command).await,
                None => Ok(None),
            }
        });
        try_join_all(found).await
    }

    /// Has a rollout enter a state. Those who follow events are told.
    pub(super) async fn enter(
        &self,
        turn: &mut RolloutTurn,
        state: RolloutState,
        reason: Option<String>,
        commands: &[Option<CommandRecord>],
    ) -> Result<bool, BackplaneError> {
        let mut record = turn.record().clone();
        (record.state, record.reason) = (state, reason);
        if state == RolloutState::Running {
            record.started_at.get_or_insert(turn.now());
        }
        if state.is_final() {
            record.ended_at = Some(turn.now());
            keep_counts(&mut record, commands, turn.now());
        }
        let is_saved = self.save(turn, record, &[], true).await?;
        if is_saved {
            let record = turn.record();
            tracing::info!(rollout = %record.id, state = state.name(), reason = record.reason.as_deref(), "a rollout changed");
        }
        Ok(is_saved)
    }

    /// Replaces the record. False if somebody else has replaced it: whatever was decided is void then.
    pub(super) async fn save(
        &self,
        turn: &mut RolloutTurn,
        record: RolloutRecord,
        targets: &[FrozenPlace],
        is_told: bool,
    ) -> Result<bool, BackplaneError> {
        debug_assert!(serde_json::to_string(&record).is_ok_and(|json| json.len() <= ROLLOUT_BYTES));
        let change = RolloutChange { record: &record, revision: turn.stored.revision, targets, is_told };
        let is_saved = self.backplane.save_rollout(change).await?;
        if is_saved {
            turn.stored = StoredRollout { record, revision: turn.stored.revision + 1 };
        }
        Ok(is_saved)
    }
}

impl RolloutTurn {
    pub(super) fn record(&self) -> &RolloutRecord {
        &self.stored.record
    }

    /// The store's time.
    pub(super) fn now(&self) -> Timestamp {
        self.read_at.checked_add(self.since.elapsed()).unwrap_or(self.read_at)
    }

    /// Whether it was read so long ago that nothing may be sent by it.
    pub(super) fn is_stale(&self) -> bool {
        self.since.elapsed() > STALE_AFTER
    }
}

/// Keeps what the targets of a wave came to, for when its commands are not stored any more.
fn keep_counts(record: &mut RolloutRecord, commands: &[Option<CommandRecord>], now: Timestamp) {
    let wave = record.wave;
    let portions = record.portions.iter_mut().filter(|portion| portion.wave == wave);
    for (portion, command) in portions.zip(commands) {
        if command.is_some() {
            portion.counts = Some(portion_counts(portion, command.as_ref(), now));
        }
    }
}
