//! Registering, the welcome, and registering again.

use std::time::Duration;

use muster_protocol::api::Protocol;

use super::{
    super::{Action, Input, TerminalReport, join::JOIN_TIME},
    session::{TestSession, close, close_of, event, fetched, frame, missed, names, sent, settings, text},
};
use crate::{
    backplane::{Cursor, GapReason, JoinOutcome, ResumePoint},
    end::SessionEnd,
};

fn call(actions: &[Action]) -> (Option<u64>, bool, bool) {
    let joins = actions.iter().find_map(|action| if let Action::Join(call) = action { Some(call) } else { None });
    let call = joins.expect("it registers");
    (call.cursor.as_ref().map(|cursor| cursor.number), call.again, call.patient)
}

#[test]
fn the_welcome_comes_first_and_what_the_terminal_said_before_it_is_taken_after_it_in_order() {
    let mut session = TestSession::opened();
    let bytes = [text("{\"type\":\"hello\"}"), event("a"), text("odd"), frame(0x89, b"x"), event("b")].concat();
    assert_eq!(names(&session.read(&bytes)), ["Enter", "Join"]);
    assert!(!session.wants().read, "nothing more is read while something waits");
    let actions = session.handle(Input::Joined(missed(10, 0)));
    assert_eq!(
        names(&actions),
        ["Send", "Release", "Heard", "Report", "Heard", "Send", "Heard", "Send", "Heard", "Report"]
    );
    assert!(sent(&actions)[0].contains("welcome"), "{actions:?}");
    assert!(sent(&actions)[1].contains("bad_frame"), "{actions:?}");
    assert!(session.wants().read);
}

#[test]
fn pings_and_pongs_are_taken_while_the_session_registers() {
    let mut session = TestSession::registering();
    assert_eq!(names(&session.read(&[frame(0x89, b"x"), frame(0x8a, b"")].concat())), ["Heard", "Send", "Ponged"]);
}

#[test]
fn a_terminal_that_leaves_while_the_session_registers_is_answered_after_what_it_said() {
    let mut session = TestSession::registering();
    assert_eq!(names(&session.read(&close(1000, ""))), ["Heard", "End", "SendLast"]);

    let mut session = TestSession::registering();
    assert_eq!(session.read(&[event("a"), close(1000, "")].concat()), []);
    let actions = session.handle(Input::Joined(JoinOutcome::Away));
    assert_eq!(names(&actions), ["Send", "Release", "Heard", "Report", "Heard", "End", "SendLast"]);
}

#[test]
fn messages_that_came_whole_before_an_error_count() {
    let mut session = TestSession::registering();
    assert_eq!(session.read(&[event("a"), frame(0x83, b"")].concat()), []);
    let actions = session.handle(Input::Joined(missed(10, 0)));
    assert_eq!(names(&actions), ["Send", "Release", "Heard", "Report", "End", "SendLast"]);
    assert_eq!(close_of(&actions).unwrap().0, 1002);
}

#[test]
fn a_session_is_let_in_while_the_store_is_away_and_receives_nothing_that_is_numbered() {
    let actions = TestSession::registering().handle(Input::Joined(JoinOutcome::Away));
    assert_eq!(names(&actions), ["Send", "Release"]);
    assert_eq!(actions[1], Action::Release(u64::MAX));
    assert!(!sent(&actions)[0].contains("cursor"));
}

#[test]
fn a_contested_session_waits_as_long_as_it_is_told_and_then_asks_patiently() {
    let mut session = TestSession::registering();
    let delay = Duration::from_secs(3);
    assert_eq!(session.handle(Input::Joined(JoinOutcome::Contested(delay))), []);
    assert_eq!(session.wakes_in(), Some(delay));
    assert_eq!(session.after(delay - Duration::from_millis(1)), []);
    assert_eq!(call(&session.after(Duration::from_millis(1))), (None, false, true));
}

#[test]
fn a_session_that_the_store_has_ended_closes() {
    let actions = TestSession::registering().handle(Input::Joined(JoinOutcome::Ended(SessionEnd::Replaced)));
    assert_eq!(close_of(&actions).unwrap().0, 4509);
}

#[test]
fn a_session_that_is_ended_while_it_registers_closes_at_once_and_takes_no_answer() {
    let mut session = TestSession::registering();
    let actions = session.handle(Input::End(SessionEnd::Disconnected));
    // No `Abandon`: the driver waits for the answer to the call before the session leaves.
    assert_eq!(names(&actions), ["End", "SendLast"]);
    assert_eq!(session.handle(Input::Joined(missed(10, 0))), []);
}

#[test]
fn a_store_that_does_not_answer_ends_the_session_with_a_hint() {
    let mut session = TestSession::registering();
    assert_eq!(session.after(JOIN_TIME - Duration::from_millis(1)), []);
    let actions = session.after(Duration::from_millis(1));
    assert_eq!(names(&actions), ["Abandon", "End", "SendLast"]);
    assert_eq!(close_of(&actions), Some((1012, "{\"retry_ms\":5000}".into())));
}

#[test]
fn a_gap_is_told_after_the_welcome_to_a_terminal_that_had_a_cursor() {
    for (lost, to) in [(GapReason::Trimmed(7), "f-7"), (GapReason::Store, "f-10")] {
        let mut session = TestSession::opened();
        session.read(&text(r#"{"type":"hello","resume":"0000000e-4"}"#));
        let cursor = Cursor { epoch: "f".into(), number: 10 };
        let point = ResumePoint { cursor, missed: vec![], lost: Some(lost) };
        let actions = session.handle(Input::Joined(JoinOutcome::In(point)));
        assert_eq!(names(&actions), ["Send", "Send", "Release"]);
        assert!(sent(&actions)[0].contains("\"resumed\":false"), "{actions:?}");
        assert!(sent(&actions)[1].contains(&format!(r#""from":"0000000e-4","to":"{to}""#)), "{actions:?}");
    }
}

#[test]
fn a_will_over_the_bound_is_told_after_the_welcome_and_not_registered() {
    let mut session = TestSession::opened();
    let hello = format!(r#"{{"type":"hello","will":"{}"}}"#, "x".repeat(8 * 1024));
    let actions = session.read(&text(&hello));
    assert!(matches!(&actions[1], Action::Join(call) if call.will.is_none()), "{actions:?}");
    let actions = session.handle(Input::Joined(missed(10, 0)));
    assert!(sent(&actions)[0].contains("welcome") && sent(&actions)[1].contains("too_large"), "{actions:?}");
}

#[test]
fn a_session_that_joins_again_goes_on_from_what_it_has_received_and_takes_messages_meanwhile() {
    let mut session = TestSession::live(Protocol::V1);
    assert_eq!(call(&session.handle(Input::Rejoin { received_up_to: 17 })), (Some(17), true, false));
    assert_eq!(names(&session.read(&event("a"))), ["Heard", "Report"]);
    let actions = session.handle(Input::Joined(missed(20, 3)));
    assert_eq!(names(&actions), ["Fetch"], "there is no second welcome");
    let frames = fetched(&actions, "x");
    assert_eq!(names(&session.handle(Input::Fetched(frames))), ["SendMissed"]);

    let mut session = TestSession::live(Protocol::V1);
    session.handle(Input::Rejoin { received_up_to: 17 });
    assert_eq!(session.handle(Input::Joined(JoinOutcome::Away)), [Action::Release(17)]);
}

#[test]
fn a_session_that_the_store_did_not_register_joins_again_as_a_new_one() {
    let mut session = TestSession::registering();
    session.handle(Input::Joined(JoinOutcome::Away));
    assert_eq!(call(&session.handle(Input::Rejoin { received_up_to: u64::MAX })), (None, false, false));
}

#[test]
fn a_plain_session_gets_no_welcome_and_no_gap_and_its_messages_wait_for_the_answer_too() {
    let (mut session, _) = TestSession::open(Protocol::Plain, Default::default(), settings());
    assert_eq!(session.read(&text("first")), []);
    let actions = session.handle(Input::Joined(missed(10, 0)));
    assert_eq!(names(&actions), ["Release", "Heard", "Report"]);
    assert!(matches!(actions[2], Action::Report(TerminalReport::Event(_))));
}
