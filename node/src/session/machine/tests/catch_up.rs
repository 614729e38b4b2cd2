//! What a terminal missed.

use std::time::Duration;

use jiff::Timestamp;
use muster_protocol::api::Protocol;

use super::{
    super::{Action, Input, catch_up::FETCH_TIME},
    session::{TestSession, close_of, command, event, fetched, id, missed, names},
};
use crate::end::SessionEnd;

/// Returns a session that has missed `count` commands, and what it asks for first.
fn catching_up(count: u64) -> (TestSession, Vec<Action>) {
    let mut session = TestSession::live(Protocol::V1);
    session.handle(Input::Rejoin { received_up_to: 10 });
    let actions = session.handle(Input::Joined(missed(1000, count)));
    (session, actions)
}

fn numbers(actions: &[Action]) -> Vec<u64> {
    let number = |action: &Action| match action {
        Action::SendMissed(frame) => Some(frame.cursor.number),
        _ => None,
    };
    actions.iter().filter_map(number).collect()
}

/// Answers everything at once until the session is live. Returns all that it did.
fn drive(session: &mut TestSession, mut last: Vec<Action>, payload: &str) -> Vec<Action> {
    let mut all = Vec::new();
    while !session.machine.is_live() {
        let next = match fetched(&last, payload) {
            Some(frames) => session.handle(Input::Fetched(Some(frames))),
            None => session.handle(Input::Flushed),
        };
        all.append(&mut last);
        last = next;
    }
    all.append(&mut last);
    all
}

#[test]
fn missed_commands_are_sent_one_by_one_in_order_and_then_the_session_is_released() {
    let (mut session, first) = catching_up(200);
    let all = drive(&mut session, first, "x");
    assert_eq!(numbers(&all), (801..=1000).collect::<Vec<_>>());
    assert_eq!(all.last(), Some(&Action::Release(1000)));
}

#[test]
fn the_next_frame_waits_for_the_socket() {
    let (mut session, first) = catching_up(2);
    let frames = fetched(&first, "x");
    assert!(!session.wants().flush);
    assert_eq!(session.handle(Input::Flushed), [], "only an answer of the store is waited for");
    assert_eq!(numbers(&session.handle(Input::Fetched(frames))), [999]);
    assert!(session.wants().flush);
    assert_eq!(names(&session.read(&event("a"))), ["Heard", "Report"]);
    assert_eq!(numbers(&session.handle(Input::Flushed)), [1000]);
    assert_eq!(session.handle(Input::Flushed), [Action::Release(1000)]);
}

#[test]
fn the_first_portion_is_small_and_later_ones_are_as_large_as_the_queue_by_the_largest_frame() {
    let portions = |payload: &str| -> Vec<usize> {
        let (mut session, first) = catching_up(200);
        let all = drive(&mut session, first, payload);
        all.iter().filter_map(|action| if let Action::Fetch(ids) = action { Some(ids.len()) } else { None }).collect()
    };
    assert_eq!(portions("x"), [8, 64, 64, 64]);
    assert_eq!(portions(&"x".repeat(60 * 1024))[..3], [8, 8, 8]);
    assert_eq!(portions(&"x".repeat(600 * 1024))[..3], [8, 1, 1]);
}

#[test]
fn commands_that_are_not_stored_any_more_or_have_expired_are_passed_over() {
    let (mut session, _) = catching_up(3);
    let mut expired = command(id(999), "x");
    expired.expires_at = Timestamp::UNIX_EPOCH;
    let frames = vec![None, Some(expired), Some(command(id(1000), "x"))];
    assert_eq!(numbers(&session.handle(Input::Fetched(Some(frames)))), [1000]);
}

#[test]
fn a_store_that_fails_or_does_not_answer_is_asked_again_for_the_same() {
    let (mut session, first) = catching_up(3);
    assert_eq!(session.handle(Input::Fetched(None)), []);
    assert_eq!(session.after(Duration::from_millis(999)), []);
    assert_eq!(session.after(Duration::from_millis(1)), first);
    assert_eq!(session.after(FETCH_TIME - Duration::from_millis(1)), []);
    assert_eq!(session.after(Duration::from_millis(1)), [Action::Abandon]);
    assert_eq!(session.after(Duration::from_secs(1)), first);
}

#[test]
fn a_terminal_that_does_not_read_what_it_missed_is_closed() {
    let (mut session, first) = catching_up(3);
    let frames = fetched(&first, "x");
    session.handle(Input::Fetched(frames));
    assert_eq!(session.after(Duration::from_millis(99_999)), []);
    let actions = session.after(Duration::from_millis(1));
    assert_eq!(close_of(&actions).unwrap().0, 4002);
}

#[test]
fn an_end_abandons_a_fetch() {
    let (mut session, _) = catching_up(3);
    let actions = session.handle(Input::End(SessionEnd::Rebalanced));
    assert_eq!(names(&actions), ["Abandon", "End", "SendLast"]);
}
