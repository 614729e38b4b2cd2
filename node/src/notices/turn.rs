//! What is decided in one turn, until the store takes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use muster_protocol::{NodeId, NoticeName, TerminalId, api::NoticeKind, selector::Labels};
use serde_json::value::RawValue;

use super::message::message;
use crate::backplane::{AwayScore, NoticeMessage, NoticePlace, NoticeRecord, NoticeTurn};

/// A turn, and the step that is to be taken next.
pub struct OpenTurn {
    /// What was read, and how far all notices have come with the step.
    pub read: NoticeTurn,
    /// The store's time when it was read.
    pub now: Timestamp,
    /// Whether each terminal that is concerned went offline or is back.
    pub moved: BTreeMap<TerminalId, Option<AwayScore>>,
    /// Nodes of which no more is to be told.
    pub nodes: Vec<NodeId>,
    /// Messages that are to be queued.
    pub messages: Vec<(NoticeName, NoticeMessage)>,
    /// Notices of which messages were queued in this turn.
    pub queued: BTreeSet<NoticeName>,
    /// The place that the store has.
    stored: NoticePlace,
}

impl OpenTurn {
    /// A turn in which nothing is decided.
    pub fn new(read: NoticeTurn, now: Timestamp) -> Self {
        let stored = read.place.clone();
        let mut turn = Self {
            read,
            now,
            moved: BTreeMap::new(),
            nodes: Vec::new(),
            messages: Vec::new(),
            queued: BTreeSet::new(),
            stored,
        };
        turn.begin_away();
        turn
    }

    /// Whether there is anything that the store has not taken.
    pub fn has_step(&self) -> bool {
        !(self.moved.is_empty() && self.nodes.is_empty() && self.messages.is_empty()) || self.read.place != self.stored
    }

    /// The store has taken the step.
    pub fn taken(&mut self) {
        self.read.revision += 1;
        self.stored = self.read.place.clone();
        self.moved.clear();
        self.nodes.clear();
        self.queued.extend(self.messages.drain(..).map(|(notice, _)| notice));
    }

    /// The records of the notices.
    pub fn records(&self) -> impl Iterator<Item = &NoticeRecord> {
        self.read.notices.iter().map(|stored| &stored.record)
    }

    /// Adds a message for each notice that is about this kind, and about this terminal if there is one. `labels` are the terminal's, if
    /// they are known.
    pub fn tell(
        &mut self,
        kind: NoticeKind,
        at: Timestamp,
        data: &RawValue,
        terminal: Option<(&TerminalId, Option<&Labels>)>,
    ) {
        let concerned = |record: &&NoticeRecord| {
            record.is_on(kind) && terminal.is_none_or(|(id, labels)| is_about(record, id, labels))
        };
        let now = self.now;
        let told: Vec<_> = self
            .records()
            .filter(concerned)
            .map(|record| (record.name.clone(), message(&record.name, kind, at, data, now)))
            .collect();
        self.messages.extend(told);
    }

    /// Notes that a terminal went offline. One whose event comes late gets a place that no notice has passed.
    pub fn went(&mut self, terminal: TerminalId, at: Timestamp) {
        if self.read.place.away_told.is_empty() {
            return;
        }
        let passed = self.read.place.away_told.values().max().copied().unwrap_or_default();
        let mut score = AwayScore::of(&terminal, at);
        if score <= passed {
            let next = jiff::SignedDuration::from_millis(1);
            score = AwayScore::of(&terminal, passed.at().checked_add(next).unwrap_or(at));
        }
        self.moved.insert(terminal, Some(score));
    }

    /// Up to where every notice has told of offline terminals.
    pub fn forget_to(&self) -> AwayScore {
        self.read.place.away_told.values().min().copied().unwrap_or(AwayScore::MAX)
    }

    /// Gives each notice about offline terminals a place, from its beginning on, and takes the places of others away.
    fn begin_away(&mut self) {
        let before = std::mem::take(&mut self.read.place.away_told);
        let told = self.records().filter(|record| record.is_on(NoticeKind::TerminalAway)).map(|record| {
            let from = before.get(&record.name).copied();
            (record.name.clone(), from.unwrap_or_else(|| AwayScore::before(self.now)))
        });
        let told: BTreeMap<_, _> = told.collect();
        self.read.place.away_told = told;
    }
}

/// Whether a notice is about a terminal with these labels. One that is not known has none, and no expression picks it.
pub fn is_about(record: &NoticeRecord, id: &TerminalId, labels: Option<&Labels>) -> bool {
    let is_picked = |labels: &Labels| record.expression.as_ref().is_none_or(|one| one.tree().picks(id, labels));
    labels.map_or(record.expression.is_none(), is_picked)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use muster_protocol::api::NoticeSecret;

    use super::*;
    use crate::backplane::StoredNotice;

    fn turn(on: NoticeKind) -> OpenTurn {
        let record = NoticeRecord {
            name: "n".parse().unwrap(),
            url: "https://h/".into(),
            on: BTreeSet::from([on]),
            off_for: Duration::from_secs(600),
            expression: Some("site = bj".parse().unwrap()),
            secret: NoticeSecret("s".into()),
            by: String::new(),
            created_at: Timestamp::UNIX_EPOCH,
        };
        let stored = StoredNotice { record, waiting: 0, waiting_bytes: 0, lost: 0 };
        let read = NoticeTurn { notices: vec![stored], ..NoticeTurn::default() };
        OpenTurn::new(read, Timestamp::from_second(1_900_000_000).unwrap())
    }

    #[test]
    fn a_message_is_for_the_notices_that_are_about_the_kind_and_the_terminal() {
        let mut turn = turn(NoticeKind::TerminalContested);
        let (t1, data) = ("t1".parse().unwrap(), super::super::message::raw(&1));
        let labels = |site: &str| Labels::from([("site".to_owned(), site.to_owned())]);
        let at = turn.now;
        turn.tell(NoticeKind::TerminalContested, at, &data, Some((&t1, Some(&labels("sh")))));
        turn.tell(NoticeKind::TerminalContested, at, &data, Some((&t1, None)));
        turn.tell(NoticeKind::NodeLost, at, &data, None);
        assert!(turn.messages.is_empty());
        turn.tell(NoticeKind::TerminalContested, at, &data, Some((&t1, Some(&labels("bj")))));
        assert_eq!(turn.messages.len(), 1);
    }

    #[test]
    fn a_terminal_that_is_heard_of_late_is_not_passed_by() {
        let mut late = turn(NoticeKind::TerminalAway);
        let t1: TerminalId = "t1".parse().unwrap();
        let passed = late.forget_to();
        late.went(t1.clone(), Timestamp::UNIX_EPOCH);
        assert!(late.moved[&t1].unwrap() > passed);
        let mut none = turn(NoticeKind::NodeLost);
        none.went(t1, Timestamp::UNIX_EPOCH);
        assert!(none.moved.is_empty(), "nobody wants to know");
    }
}
