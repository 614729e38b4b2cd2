//! The record of a command, the same for both backplanes: how the state of a target rises, and what the API shows of
//! a command and its targets.
//!
//! Only facts are stored: queued, sent, and what terminals sent back. Whether a command has expired, timed out or was
//! cancelled is derived from these facts when someone asks, so nothing has to be written at that moment.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, TerminalId,
    api::{CommandRequest, CommandState, CommandView, Confirm, TargetState, TargetView},
    frame,
    partition::PartitionIndex,
};
use serde_json::json;

/// What is stored of a command.
#[derive(Debug, Clone)]
pub struct CommandRecord {
    /// The frame that the targets get.
    pub frame: frame::Command,
    /// The request as the operator sent it.
    pub request: CommandRequest,
    /// Who asked: the name of the operator's key; empty if it is not known.
    pub by: String,
    /// When the command was accepted.
    pub created_at: Timestamp,
    /// Whether an operator cancelled the command.
    pub cancelled: bool,
    /// The number of targets in each stored state.
    pub counts: BTreeMap<TargetState, u64>,
    /// Targets whose states are not in `counts`: their partitions did not answer, or have not taken their shares yet.
    pub unseen: u64,
    /// The partitions that did not answer.
    pub partial: Vec<PartitionIndex>,
    /// The partitions that had targets, and have lost everything of the command.
    pub lost: Vec<PartitionIndex>,
    /// The number of targets in the partitions that are `lost`. Nobody knows what became of them.
    pub lost_targets: u64,
}

/// A target as it is stored: its state, and when it reached each state, in milliseconds since the command was
/// accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRecord {
    /// The stored state. It is never a derived one, such as expired.
    pub state: TargetState,
    /// The times of sent, acked, running and the final state.
    pub steps: [Option<u64>; 4],
}

/// The letters of the states in Redis, and the names in the API.
const STEPS: [(char, &str); 4] = [('s', "sent"), ('a', "acked"), ('r', "running"), ('e', "ended")];

/// Returns the index of a state in [`TargetRecord::steps`]. None for `queued`, whose time is the time of the command.
pub(super) fn step(state: TargetState) -> Option<usize> {
    match state {
        TargetState::Queued => None,
        TargetState::Sent => Some(0),
        TargetState::Acked => Some(1),
        TargetState::Running => Some(2),
        _ => Some(3),
    }
}

/// Returns when a command was accepted, in milliseconds since 1970. The command's id begins with this time.
pub fn accepted_ms(id: CommandId) -> u64 {
    let (seconds, nanos) = id.0.get_timestamp().map_or((0, 0), |time| time.to_unix());
    seconds * 1000 + u64::from(nanos) / 1_000_000
}

/// Returns the time at which a command was accepted, from its id.
pub fn accepted_at(id: CommandId) -> Timestamp {
    Timestamp::from_millisecond(accepted_ms(id) as i64).unwrap_or_default()
}

impl CommandRecord {
    /// Returns the state that the API shows for a stored state.
    pub fn shown(&self, stored: TargetState, now: Timestamp) -> TargetState {
        let over = now >= self.frame.expires_at;
        match stored {
            TargetState::Queued if self.cancelled => TargetState::Cancelled,
            TargetState::Queued if over => TargetState::Expired,
            TargetState::Acked | TargetState::Running if over && self.request.confirm == Confirm::Result => {
                TargetState::TimedOut
            }
            other => other,
        }
    }

    /// Returns the stored states that the API shows as this one.
    pub fn stored_as(&self, shown: TargetState, now: Timestamp) -> Vec<TargetState> {
        TargetState::ALL.into_iter().filter(|stored| self.shown(*stored, now) == shown).collect()
    }

    /// Returns the stored states of targets that have ended without what the command asked for.
    pub fn stored_failed(&self, now: Timestamp) -> Vec<TargetState> {
        TargetState::ALL.into_iter().filter(|stored| self.failed(self.shown(*stored, now), now)).collect()
    }

    /// Returns whether a target in this state is finished: it has confirmed what the command asks for, or can't confirm
    /// it any more.
    fn is_done(&self, shown: TargetState) -> bool {
        match self.request.confirm {
            Confirm::None => shown.rank() >= TargetState::Sent.rank(),
            Confirm::Ack => shown.rank() >= TargetState::Acked.rank(),
            Confirm::Result => shown.is_final(),
        }
    }

    /// Returns whether a target in this state has ended without what the command asked for, so that the command can be
    /// tried again there.
    pub fn failed(&self, shown: TargetState, now: Timestamp) -> bool {
        match shown {
            TargetState::Queued | TargetState::Sent | TargetState::Acked | TargetState::Running => {
                !self.is_done(shown) && now >= self.frame.expires_at
            }
            TargetState::Succeeded => false,
            _ => true,
        }
    }

    /// Returns whether all targets are finished: each has confirmed what the command asks for, or can't confirm it any
    /// more.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        self.is_settled_with(&self.counts, now)
    }

    /// Returns the same for these numbers of targets in each state, in place of the numbers of the record.
    pub fn is_settled_with(&self, counts: &BTreeMap<TargetState, u64>, now: Timestamp) -> bool {
        let is_done = |(stored, count): (&TargetState, &u64)| *count == 0 || self.is_done(self.shown(*stored, now));
        now >= self.frame.expires_at || (self.unseen == 0 && counts.iter().all(is_done))
    }

    /// Returns the command as the API shows it.
    pub fn view(&self, now: Timestamp) -> CommandView {
        let always = [TargetState::Queued, TargetState::Sent, TargetState::Acked];
        let mut counts: BTreeMap<_, _> = always.map(|state| (state, 0)).into();
        for (stored, count) in self.counts.iter().filter(|(_, count)| **count > 0) {
            *counts.entry(self.shown(*stored, now)).or_default() += count;
        }
        let done = self.is_settled(now);
        let state = match (self.cancelled, done) {
            (true, _) => CommandState::Cancelled,
            (false, true) => CommandState::Done,
            (false, false) => CommandState::Open,
        };
        CommandView {
            id: self.frame.id,
            name: self.frame.name.clone(),
            state,
            targets: self.counts.values().sum::<u64>() + self.unseen + self.lost_targets,
            counts,
            created_at: self.created_at,
            expires_at: self.frame.expires_at,
            stored: true,
            by: Some(self.by.clone()).filter(|by| !by.is_empty()),
            target: None,
            payload: None,
            payload_base64: None,
            results: None,
            partial: self.partial.clone(),
            lost: self.lost.clone(),
        }
    }

    /// Returns the command as the API shows it, with its selector and payload.
    pub fn full_view(&self, now: Timestamp) -> CommandView {
        let (target, payload) = (Some(self.request.target.clone()), Some(self.frame.payload.clone()));
        let (payload_base64, payload) = if self.frame.payload.is_bytes() { (payload, None) } else { (None, payload) };
        CommandView { target, payload, payload_base64, ..self.view(now) }
    }

    /// Returns the data of the event `command.counts`: the same as of `command.done`, for the command as it is now.
    pub fn counts_event(&self, now: Timestamp) -> String {
        let view = self.view(now);
        told_as(view.state, &view)
    }

    /// Returns one target as the API shows it.
    pub fn target_view(
        &self,
        terminal: TerminalId,
        target: &TargetRecord,
        reply: Option<Payload>,
        now: Timestamp,
    ) -> TargetView {
        let steps = STEPS.iter().zip(target.steps).filter_map(|((_, name), ms)| {
            // Times count from the time in the id. That time is before the command's own if an idempotency key had
            // reserved the id.
            let at = accepted_at(self.frame.id).checked_add(Duration::from_millis(ms?)).ok()?;
            Some(((*name).to_owned(), at))
        });
        let at = [("queued".to_owned(), self.created_at)].into_iter().chain(steps).collect();
        TargetView { terminal, state: self.shown(target.state, now), at, payload: reply.unwrap_or_default() }
    }
}

/// Returns the data of the event `command.done`: how a command ended, and the number of its targets in each state that
/// has any.
pub fn done_event(view: &CommandView) -> String {
    let is_cancelled = view.state == CommandState::Cancelled;
    told_as(if is_cancelled { CommandState::Cancelled } else { CommandState::Done }, view)
}

fn told_as(state: CommandState, view: &CommandView) -> String {
    let counts: BTreeMap<_, _> = view.counts.iter().filter(|(_, count)| **count > 0).collect();
    let mut data = json!({ "command": view.id, "state": state, "targets": view.targets, "counts": counts });
    for (field, partitions) in [("partial", &view.partial), ("lost", &view.lost)] {
        if !partitions.is_empty() {
            data[field] = json!(partitions);
        }
    }
    data.to_string()
}

impl TargetRecord {
    /// A target of a command that was just accepted.
    pub const QUEUED: Self = Self { state: TargetState::Queued, steps: [None; 4] };

    /// Records that the target reached `state` at `ms`. Returns whether the state rose.
    ///
    /// A state keeps the first time at which it was reached. A final state that replaces a lower final state also
    /// replaces the time of the end.
    pub fn raise(&mut self, state: TargetState, ms: u64) -> bool {
        let Some(step) = step(state) else { return false };
        let rises = state.rank() > self.state.rank();
        if rises && self.state.is_final() {
            self.steps[step] = None;
        }
        self.steps[step].get_or_insert(ms);
        if rises {
            self.state = state;
        }
        rises
    }

    /// Parses the form in Redis: `acked s12 a15`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut target = Self { state: TargetState::of_name(words.next()?)?, steps: [None; 4] };
        for word in words {
            let step = STEPS.iter().position(|(letter, _)| word.starts_with(*letter))?;
            target.steps[step] = Some(word[1..].parse().ok()?);
        }
        Some(target)
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::Selector;
    use uuid::Uuid;

    use super::*;

    fn record(confirm: &str, counts: &[(TargetState, u64)]) -> CommandRecord {
        let request = format!(r#"{{"target":{{"all":true}},"name":"show","confirm":"{confirm}"}}"#);
        let request: CommandRequest = serde_json::from_str(&request).unwrap();
        assert_eq!(request.target, Selector::All);
        let created_at = Timestamp::now();
        let frame = frame::Command {
            id: CommandId(Uuid::now_v7()),
            name: "show".into(),
            payload: Payload::default(),
            expires_at: created_at + request.expires_in,
            cursor: None,
            stagger_ms: None,
        };
        CommandRecord {
            frame,
            request,
            by: "ann".into(),
            created_at,
            cancelled: false,
            counts: counts.iter().copied().collect(),
            unseen: 0,
            partial: Vec::new(),
            lost: Vec::new(),
            lost_targets: 0,
        }
    }

    #[test]
    fn steps_may_come_in_any_order() {
        use TargetState::{Acked, Queued, Running, Sent, Succeeded};
        let mut target = TargetRecord::QUEUED;
        assert!(target.raise(Succeeded, 40));
        assert!(!target.raise(Acked, 15) && !target.raise(Sent, 12) && !target.raise(Running, 20));
        assert!(!target.raise(Succeeded, 99) && !target.raise(TargetState::TimedOut, 99));
        assert_eq!(target, TargetRecord { state: Succeeded, steps: [Some(12), Some(15), Some(20), Some(40)] });
        assert_eq!(TargetRecord::parse("succeeded e40 a15 s12 r20"), Some(target));
        assert_eq!(TargetRecord::parse("queued").unwrap().state, Queued);
        assert_eq!((TargetRecord::parse("nonsense"), TargetRecord::parse("sent x1")), (None, None));
    }

    #[test]
    fn of_several_ends_the_highest_counts_with_its_time_in_any_order() {
        use TargetState::{Expired, Failed, Rejected, Succeeded};
        let ends = [(Expired, 1), (Succeeded, 2), (Failed, 3), (Rejected, 4)];
        let (mut up, mut down) = (TargetRecord::QUEUED, TargetRecord::QUEUED);
        assert!(ends.iter().all(|(state, ms)| up.raise(*state, *ms)));
        assert!(ends.iter().rev().map(|(state, ms)| down.raise(*state, *ms)).eq([true, false, false, false]));
        assert_eq!(up, TargetRecord { state: Rejected, steps: [None, None, None, Some(4)] });
        assert_eq!(up, down);
    }

    #[test]
    fn time_turns_what_was_not_sent_into_expired_and_claims_no_more() {
        use TargetState::{Acked, Expired, Queued, Sent, TimedOut};
        let stored = [(Queued, 1), (Sent, 2), (Acked, 4)];
        let asked = record("ack", &stored);
        let (now, later) = (asked.created_at, asked.frame.expires_at);
        assert_eq!((asked.view(now).state, asked.view(later).state), (CommandState::Open, CommandState::Done));
        assert_eq!(asked.view(later).counts[&Expired], 1);
        assert_eq!((asked.view(later).counts[&Sent], asked.view(later).counts[&Acked]), (2, 4));
        let result = record("result", &stored);
        let result = result.view(result.frame.expires_at);
        assert_eq!((result.counts[&Sent], result.counts[&TimedOut], result.targets), (2, 4, 7));
    }

    #[test]
    fn a_command_is_done_when_all_have_confirmed_what_was_asked() {
        use TargetState::{Acked, Failed, Sent, Succeeded};
        for (confirm, state, done) in [
            ("none", Sent, true),
            ("ack", Sent, false),
            ("ack", Acked, true),
            ("result", Acked, false),
            ("result", Succeeded, true),
            ("result", Failed, true),
        ] {
            let record = record(confirm, &[(state, 3)]);
            let is_done = record.view(record.created_at).state == CommandState::Done;
            assert_eq!(is_done, done, "{confirm} {state:?}");
        }
        let record = record("ack", &[]);
        let (now, over) = (record.created_at, record.frame.expires_at);
        assert!(
            record.failed(Failed, now)
                && !record.failed(Acked, over)
                && !record.failed(Sent, now)
                && record.failed(Sent, over)
        );
    }

    #[test]
    fn a_command_is_open_while_a_partition_has_not_answered_for_its_targets() {
        let mut record = record("ack", &[(TargetState::Acked, 3)]);
        (record.unseen, record.partial) = (2, vec![PartitionIndex(1)]);
        let view = record.view(record.created_at);
        assert_eq!((view.state, view.targets, view.partial), (CommandState::Open, 5, vec![PartitionIndex(1)]));
        assert_eq!(record.view(record.frame.expires_at).state, CommandState::Done);
    }

    #[test]
    fn a_cancelled_command_takes_back_only_what_was_not_sent() {
        use TargetState::{Cancelled, Queued, Sent};
        let mut record = record("ack", &[(Queued, 1), (Sent, 2)]);
        record.cancelled = true;
        let view = record.view(record.created_at);
        assert_eq!((view.state, view.counts[&Cancelled], view.counts[&Sent]), (CommandState::Cancelled, 1, 2));
    }

    #[test]
    fn an_id_tells_when_it_was_made() {
        let now = Timestamp::now().as_millisecond() as u64;
        assert!(accepted_ms(CommandId(Uuid::now_v7())).abs_diff(now) < 1000);
    }
}
