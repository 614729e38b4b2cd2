//! Takes turns: has messages queued about what has happened, and has those tried that are due.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use muster_protocol::{
    NodeId, NoticeName,
    api::{AttemptResult, NoticeKind},
};
use serde_json::json;
use tokio::{
    task::{AbortHandle, JoinSet},
    time,
};

use super::{message::raw, round::Round, sender::NoticeSender, turn::OpenTurn};
use crate::{
    backplane::{Backplane, BackplaneError, NoticeStep, StoredNotice},
    metrics::Metrics,
};

/// The interval of turns.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a lost node may take to come back before a message tells of it: longer than its lease.
const NODE_BACK_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// Carries notices on, if no other node does.
pub struct NoticeCarrier {
    pub(super) backplane: Arc<dyn Backplane>,
    round: Round,
    rounds: JoinSet<()>,
    /// The round of each notice, which may have ended.
    under_way: BTreeMap<NoticeName, AbortHandle>,
}

impl NoticeCarrier {
    /// The carrier of a node.
    pub fn new(backplane: Arc<dyn Backplane>, sender: Arc<NoticeSender>, metrics: Arc<Metrics>) -> Self {
        // A counter that first appears with its first increment does not increase, as Prometheus sees it.
        for result in [AttemptResult::Delivered, AttemptResult::Failed, AttemptResult::GivenUp] {
            metrics.notice_attempts.with_label_values(&[result.name()]);
        }
        let round = Round { backplane: backplane.clone(), sender, metrics };
        Self { backplane, round, rounds: JoinSet::new(), under_way: BTreeMap::new() }
    }

    /// Carries notices on for ever.
    pub async fn run(mut self) {
        loop {
            time::sleep(INTERVAL).await;
            if let Err(error) = self.take_turn().await {
                tracing::debug!(%error, "notices wait for the store");
            }
        }
    }

    async fn take_turn(&mut self) -> Result<(), BackplaneError> {
        while self.rounds.try_join_next().is_some() {}
        let carried = self.backplane.carried_notices().await?;
        let waiting: i64 = carried.turn.iter().flat_map(|turn| &turn.notices).map(|stored| stored.waiting as i64).sum();
        self.round.metrics.notices_waiting.set(waiting);
        let Some(read) = carried.turn else { return Ok(()) };
        let mut turn = OpenTurn::new(read, carried.now);
        self.begin_rounds(&turn);
        self.hear(&mut turn).await?;
        self.tell_lost_nodes(&mut turn).await?;
        self.save(&mut turn).await?;
        self.survey(&mut turn).await?;
        self.save(&mut turn).await?;
        self.tell_away(&mut turn).await?;
        self.save(&mut turn).await?;
        self.begin_rounds(&turn);
        Ok(())
    }

    /// Begins a round for each notice that has messages and no round under way.
    fn begin_rounds(&mut self, turn: &OpenTurn) {
        self.under_way.retain(|_, round| !round.is_finished());
        for StoredNotice { record, waiting, .. } in &turn.read.notices {
            let has_messages = *waiting > 0 || turn.queued.contains(&record.name);
            if has_messages && !self.under_way.contains_key(&record.name) {
                let round = self.rounds.spawn(self.round.clone().run(record.clone()));
                self.under_way.insert(record.name.clone(), round);
            }
        }
    }

    /// Tells of lost nodes that have not come back.
    async fn tell_lost_nodes(&self, turn: &mut OpenTurn) -> Result<(), BackplaneError> {
        let is_due = |at: &Timestamp| turn.now.duration_since(*at) >= NODE_BACK_WITHIN;
        let due: Vec<(NodeId, Timestamp)> = turn.read.lost_nodes.iter().filter(|(_, at)| is_due(at)).cloned().collect();
        if due.is_empty() {
            return Ok(());
        }
        let living = self.backplane.nodes().await?.nodes;
        for (node, at) in due {
            if !living.iter().any(|view| view.id == node) {
                turn.tell(NoticeKind::NodeLost, at, &raw(&json!({ "node": node })), None);
            }
            turn.nodes.push(node);
        }
        turn.read.lost_nodes.clear();
        Ok(())
    }

    /// Has the store take what was decided.
    ///
    /// # Errors
    /// If it was not taken: whatever was decided is void then.
    pub(super) async fn save(&self, turn: &mut OpenTurn) -> Result<(), BackplaneError> {
        if !turn.has_step() {
            return Ok(());
        }
        turn.read.place.heard_to = turn.now;
        let moved = turn.moved.iter();
        let off: Vec<_> = moved.clone().filter_map(|(id, score)| Some(((*score)?, id.clone()))).collect();
        let back: Vec<_> = moved.filter(|(_, score)| score.is_none()).map(|(id, _)| id.clone()).collect();
        let step = NoticeStep {
            place: &turn.read.place,
            revision: turn.read.revision,
            off: &off,
            back: &back,
            forget_to: turn.forget_to(),
            nodes: &turn.nodes,
            messages: &turn.messages,
        };
        match self.backplane.save_notices(step).await? {
            Some(lost) => {
                self.round.metrics.notices_lost.inc_by(lost);
                turn.taken();
                Ok(())
            }
            None => Err(BackplaneError::Unavailable("another node carries notices on".into())),
        }
    }
}
