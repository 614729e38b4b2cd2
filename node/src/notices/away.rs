//! Terminals that are offline for so long, and the search for those whose events were lost.

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use muster_protocol::{
    TerminalId,
    api::{NoticeKind, Status, TerminalView},
};
use serde::Serialize;

use super::{
    carrier::NoticeCarrier,
    message::{message, raw},
    turn::{OpenTurn, is_about},
};
use crate::backplane::{AwayScore, BackplaneError, NOTICE_PORTION, NoticeRecord, NoticeSurvey, TerminalQuery};

/// The terminals that are looked up at once.
const AT_ONCE: usize = 16;
/// When a terminal is looked up again whose partition is away: late enough that such terminals hold up no others.
const AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// The terminals of one portion of a search.
const SURVEY_PORTION: usize = 512;

/// An offline terminal, and its place among such terminals.
type AwayItem = (AwayScore, TerminalId);

/// What a message says of offline terminals.
#[derive(Serialize)]
struct AwayData {
    off_for: String,
    terminals: Vec<AwayTerminal>,
}

#[derive(Serialize)]
struct AwayTerminal {
    terminal: TerminalId,
    /// When its last session ended.
    since: Timestamp,
}

impl NoticeCarrier {
    /// Adds a message of the next terminals that are offline for as long as a notice says, for each notice.
    pub(super) async fn tell_away(&self, turn: &mut OpenTurn) -> Result<(), BackplaneError> {
        let records: Vec<_> = turn.records().filter(|record| record.is_on(NoticeKind::TerminalAway)).cloned().collect();
        for record in records {
            self.tell_away_to(&record, turn).await?;
        }
        Ok(())
    }

    async fn tell_away_to(&self, record: &NoticeRecord, turn: &mut OpenTurn) -> Result<(), BackplaneError> {
        let from = turn.read.place.away_told.get(&record.name).copied().unwrap_or_default();
        let until = AwayScore::before(turn.now.checked_sub(record.off_for).unwrap_or(Timestamp::UNIX_EPOCH));
        if until <= from {
            return Ok(());
        }
        let (due, told_to) = whole_scores(self.backplane.away_between(from, until).await?, until);
        let (mut terminals, mut unknown) = (Vec::new(), Vec::new());
        for some in due.chunks(AT_ONCE) {
            let views = join_all(some.iter().map(|(_, terminal)| self.backplane.terminal(terminal))).await;
            for ((score, id), view) in some.iter().zip(views) {
                match view {
                    Ok(Some(view)) if is_gone(record, &view) => {
                        terminals.push(AwayTerminal { terminal: id.clone(), since: score.at() });
                    }
                    Ok(_) => {}
                    Err(_) => unknown.push(id.clone()),
                }
            }
        }
        turn.read.place.away_told.insert(record.name.clone(), told_to);
        let again = until.at().checked_add(AGAIN).unwrap_or(turn.now);
        unknown.into_iter().for_each(|terminal| turn.went(terminal, again));
        if !terminals.is_empty() {
            let off_for = humantime::format_duration(record.off_for).to_string();
            let data = raw(&AwayData { off_for, terminals });
            let message = message(&record.name, NoticeKind::TerminalAway, turn.now, &data, turn.now);
            turn.messages.push((record.name.clone(), message));
        }
        Ok(())
    }

    /// Looks at the next portion of the terminals without a session, if events were lost: those that were seen since the last event that
    /// was read are offline, and no event says so.
    pub(super) async fn survey(&self, turn: &mut OpenTurn) -> Result<(), BackplaneError> {
        let Some(NoticeSurvey { since, after }) = turn.read.place.survey.clone() else { return Ok(()) };
        let status = Some(Status::Offline);
        let query = TerminalQuery { status, after, limit: SURVEY_PORTION, ..TerminalQuery::default() };
        let page = self.backplane.terminals(&query).await?;
        for view in page.terminals.into_iter().filter(|view| view.last_seen >= since) {
            turn.went(view.id, view.last_seen);
        }
        turn.read.place.survey = page.next.map(|next| NoticeSurvey { since, after: Some(next) });
        Ok(())
    }
}

/// Those of a portion up to which no terminal is missing, and the score up to which they reach. The last score of a full portion may have more
/// terminals, which the next portion must not pass by.
fn whole_scores(mut due: Vec<AwayItem>, until: AwayScore) -> (Vec<AwayItem>, AwayScore) {
    if due.len() < NOTICE_PORTION {
        return (due, until);
    }
    let last = due.last().map_or(until, |(score, _)| *score);
    let whole = due.partition_point(|(score, _)| *score < last);
    if whole > 0 {
        due.truncate(whole);
    }
    let told_to = due.last().map_or(until, |(score, _)| *score);
    (due, told_to)
}

/// Whether a terminal is offline, and one that the notice is about.
fn is_gone(record: &NoticeRecord, view: &TerminalView) -> bool {
    view.status == Status::Offline && is_about(record, &view.id, Some(&view.labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portion_ends_between_two_scores() {
        let due = |score: &dyn Fn(usize) -> u64, count: usize| -> Vec<AwayItem> {
            (0..count).map(|n| (AwayScore(score(n)), format!("t{n}").parse().unwrap())).collect()
        };
        let reach = |score: &dyn Fn(usize) -> u64, count| {
            let (whole, told_to) = whole_scores(due(score, count), AwayScore(1000));
            (whole.len(), told_to.0)
        };
        assert_eq!(reach(&|n| n as u64, 3), (3, 1000), "there are no more");
        assert_eq!(reach(&|n| n as u64 / 3, NOTICE_PORTION), (99, 32), "the score 33 has more");
        assert_eq!(reach(&|_| 7, NOTICE_PORTION), (NOTICE_PORTION, 7));
    }
}
