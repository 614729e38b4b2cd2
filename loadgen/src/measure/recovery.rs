//! Whether terminals connected as planned, and whether they reconnected after a session was lost that the plan did
//! not end.

use super::{Tally, sums::Connections};
use crate::{
    clock::{Nanos, SECOND},
    journal::{FailedAttempt, SessionRecord, TerminalLog},
    names,
    plan::Stay,
};

/// After how long a terminal counts as not recovered that lost its session and has made no attempt since. A shorter
/// absence may be its backoff.
const OVERDUE: Nanos = 15 * SECOND;

/// Adds the stays, sessions and attempts of one terminal. `now` is the end of the run. `grace` is the time that a
/// server has to answer an attempt (`--grace`).
///
/// A stay without a session counts as `never` or `unanswered` if an attempt failed in it, however short the stay or the
/// run was.
pub fn connections(tally: &mut Tally, stays: &[Stay], log: &TerminalLog, now: Nanos, grace: Nanos) {
    let failures = failures(stays, log, now, grace);
    for (number, stay) in stays.iter().enumerate().filter(|(_, stay)| stay.from < now) {
        tally.connections.planned += 1;
        match log.sessions.iter().find(|session| session.stay == number) {
            Some(first) => {
                tally.connections.made += 1;
                tally.latency(names::CONNECT).record(first.ready.saturating_sub(stay.from));
            }
            None => shut_out(tally, &failures, stay),
        }
    }
    sessions(tally, stays, log, &failures, now);
    tally.connections.failed += failures.len() as u64;
    failures.iter().for_each(|failure| tally.reason("attempt failed", &failure.why));
}

/// Counts a stay without a session.
fn shut_out(tally: &mut Tally, failures: &[&FailedAttempt], stay: &Stay) {
    let mut attempts = failures.iter().filter(|failure| (stay.from..stay.to).contains(&failure.dialled)).peekable();
    if attempts.peek().is_none() {
        tally.connections.brief += 1;
        return;
    }
    tally.latency(names::CONNECT).missing += 1;
    match attempts.all(|failure| failure.unanswered) {
        true => tally.connections.unanswered += 1,
        false => tally.connections.never += 1,
    }
}

/// Returns when a terminal lost its last session, if it was still away at the end of the run and in its own backoff: it
/// has made no attempt since one failed.
pub fn still_away(stays: &[Stay], log: &TerminalLog, now: Nanos, grace: Nanos) -> Option<Nanos> {
    let last = log.sessions.last().filter(|last| last.lost.is_some())?;
    let is_last_stay = stays.iter().skip(last.stay + 1).all(|stay| stay.from >= now);
    let until = stays[last.stay].to.min(now);
    let has_failed = within(&failures(stays, log, now, grace), last.ended, until) || until > last.ended + OVERDUE;
    (is_last_stay && !has_failed).then_some(last.ended)
}

/// Returns the attempts that count as failed.
///
/// An attempt without an answer that the terminal gave up within the grace says nothing about the server: the stay was
/// too short. So it does not count, with one exception: if the run is complete and the terminal never had a session,
/// every attempt counts. Otherwise a server that never answers could go unnoticed.
fn failures<'a>(stays: &[Stay], log: &'a TerminalLog, now: Nanos, grace: Nanos) -> Vec<&'a FailedAttempt> {
    let complete = stays.last().is_some_and(|stay| stay.to <= now);
    let shut_out = complete && log.sessions.is_empty();
    let counts = |failure: &&FailedAttempt| !failure.unanswered || shut_out || failure.at - failure.dialled >= grace;
    log.failures.iter().filter(counts).collect()
}

/// Returns whether a failed attempt began between `from` and `to`.
fn within(failures: &[&FailedAttempt], from: Nanos, to: Nanos) -> bool {
    failures.iter().any(|failure| (from..to).contains(&failure.dialled))
}

/// Returns the number of the lost session after which a message that was due at `due` was missed, if it arrived at `at`
/// in the next session.
pub fn missed_after(sessions: &[SessionRecord], due: Nanos, at: Nanos) -> Option<usize> {
    sessions.windows(2).position(|pair| {
        let (lost, next) = (&pair[0], &pair[1]);
        lost.lost.is_some() && (lost.ended..next.ready).contains(&due) && at >= next.ready
    })
}

fn sessions(tally: &mut Tally, stays: &[Stay], log: &TerminalLog, failures: &[&FailedAttempt], now: Nanos) {
    for (number, session) in log.sessions.iter().enumerate() {
        tally.latency(names::ATTEMPT).record(session.ready.saturating_sub(session.dialled));
        tally.timeline.online(session.ready, session.ended, now);
        let Connections { sessions, resumed, .. } = &mut tally.connections;
        *sessions += 1;
        *resumed += u64::from(session.resumed);
        let Some(why) = &session.lost else { continue };
        tally.connections.lost += 1;
        tally.reason("session lost", why);
        tally.timeline.step(session.ended).dropped += 1;
        let until = stays[session.stay].to.min(now);
        match log.sessions.get(number + 1).filter(|next| next.stay == session.stay) {
            Some(next) => tally.latency(names::RECONNECT).record(next.ready.saturating_sub(session.ended)),
            None if within(failures, session.ended, until) || until > session.ended + OVERDUE => {
                tally.connections.never_recovered += 1;
                tally.latency(names::RECONNECT).missing += 1;
            }
            // The terminal may still have been in its backoff.
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Leave, measure::sums::Connections};

    const STAYS: [Stay; 2] = [stay(0, 3), stay(4, 8)];

    const fn stay(from: Nanos, to: Nanos) -> Stay {
        Stay { from: from * SECOND, to: to * SECOND, leave: Leave::Close }
    }

    const GRACE: Nanos = 2 * SECOND;

    fn session(stay: usize, ready: Nanos, lost: Option<Nanos>) -> SessionRecord {
        let (ready, ended) = (ready * SECOND, lost.map_or(Nanos::MAX, |at| at * SECOND));
        let lost = lost.map(|_| "reset".into());
        SessionRecord { stay, dialled: ready, ready, ended, node: String::new(), resumed: false, lost }
    }

    fn refused(at: Nanos) -> FailedAttempt {
        FailedAttempt { dialled: at * SECOND, at: at * SECOND + 1, why: "503".into(), unanswered: false }
    }

    fn unanswered(at: Nanos, waited: Nanos) -> FailedAttempt {
        FailedAttempt { dialled: at * SECOND, at: at * SECOND + waited, why: "no answer".into(), unanswered: true }
    }

    fn counted(sessions: Vec<SessionRecord>, failures: Vec<FailedAttempt>, now: Nanos) -> Connections {
        let mut tally = Tally::default();
        let log = TerminalLog { sessions, failures, ..TerminalLog::default() };
        connections(&mut tally, &STAYS, &log, now * SECOND, GRACE);
        assert!(tally.connections.closes());
        tally.connections
    }

    #[test]
    fn a_stay_that_was_refused_counts_as_never_however_short_it_was() {
        let got = counted(vec![session(1, 4, None)], vec![refused(0)], 8);
        assert_eq!((got.planned, got.made, got.never, got.failed), (2, 1, 1, 1));
        assert_eq!(counted(vec![], vec![refused(0), refused(4)], 8).never, 2);
        assert_eq!(counted(vec![], vec![refused(0)], 2).never, 1, "in a run that was cut short");
    }

    #[test]
    fn a_handshake_without_an_answer_is_a_failed_attempt() {
        let got = counted(vec![session(1, 4, None)], vec![unanswered(0, GRACE)], 8);
        assert_eq!((got.never, got.unanswered, got.failed), (0, 1, 1));
    }

    #[test]
    fn a_stay_shorter_than_a_handshake_says_nothing_unless_none_was_ever_answered() {
        let brief = || unanswered(0, GRACE - 1);
        let got = counted(vec![session(1, 4, None)], vec![brief()], 8);
        assert_eq!((got.unanswered, got.brief, got.failed), (0, 1, 0));
        assert_eq!(counted(vec![], vec![brief(), unanswered(4, SECOND / 10)], 8).unanswered, 2);
    }

    #[test]
    fn a_terminal_that_came_back_in_its_next_stay_had_not_recovered_in_this_one() {
        let sessions = vec![session(0, 0, Some(1)), session(1, 4, None)];
        assert_eq!(counted(sessions.clone(), vec![refused(2)], 8).never_recovered, 1);
        assert_eq!(counted(sessions, vec![], 8).never_recovered, 0, "it was still in its backoff");
    }

    #[test]
    fn a_terminal_is_still_away_only_within_its_own_backoff() {
        let away = |failures, now: Nanos| {
            let log = TerminalLog { sessions: vec![session(1, 4, Some(6))], failures, ..TerminalLog::default() };
            still_away(&STAYS, &log, now * SECOND, GRACE)
        };
        assert_eq!(away(vec![], 8), Some(6 * SECOND));
        assert_eq!(away(vec![refused(7)], 8), None, "the server did not let it back");
        let mut log = TerminalLog { sessions: vec![session(0, 0, Some(1))], ..TerminalLog::default() };
        assert_eq!(still_away(&STAYS, &log, 8 * SECOND, GRACE), None, "its next stay has begun");
        log.sessions = vec![session(1, 4, None)];
        assert_eq!(still_away(&STAYS, &log, 8 * SECOND, GRACE), None, "it was not away");
    }
}
