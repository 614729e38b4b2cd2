//! After the close frame.

use std::time::Duration;

use muster_protocol::api::Protocol;

use super::{
    super::{
        Action, Input, Wants,
        closing::{FAREWELL_BYTES, FAREWELL_TIME},
    },
    session::{TestSession, close, event, frame, text},
};
use crate::{end::SessionEnd, wire::WireError};

/// Returns a session that was closed with this end.
fn closed(end: SessionEnd) -> TestSession {
    let mut session = TestSession::live(Protocol::V1);
    session.handle(Input::End(end));
    session
}

/// Returns a session that was closed because its bytes can't be decoded.
fn broken() -> TestSession {
    let mut session = TestSession::live(Protocol::V1);
    session.read(&frame(0x83, b""));
    session
}

#[test]
fn the_connection_is_closed_when_the_close_frame_is_written_and_answered_in_either_order() {
    let mut session = closed(SessionEnd::Replaced);
    assert_eq!(session.handle(Input::Flushed), []);
    assert_eq!(session.read(&[event("late"), close(4509, "")].concat()), [Action::Done]);
    let mut session = closed(SessionEnd::Replaced);
    assert_eq!(session.read(&close(4509, "")), []);
    assert!(!session.wants().read && session.wants().flush);
    assert_eq!(session.handle(Input::Flushed), [Action::Done]);
    assert_eq!(session.wants(), Wants::default());
}

#[test]
fn what_a_terminal_still_sends_is_discarded_and_only_the_first_end_counts() {
    let mut session = closed(SessionEnd::Replaced);
    assert_eq!(session.read(&[event("late"), frame(0x89, b"x"), text("{\"type\":\"hello\"}")].concat()), []);
    assert_eq!(session.handle(Input::End(SessionEnd::Removed)), []);
    assert_eq!(session.handle(Input::Rejoin { received_up_to: 1 }), []);
}

#[test]
fn a_terminal_that_closed_first_is_not_read_any_more() {
    let mut session = TestSession::live(Protocol::V1);
    session.read(&close(1000, ""));
    assert!(!session.wants().read);
    assert_eq!(session.handle(Input::Flushed), [Action::Done]);
}

#[test]
fn a_close_that_waits_behind_messages_is_the_answer_if_the_node_ends_the_session_first() {
    let mut session = TestSession::registering();
    session.read(&[event("a"), close(1000, "")].concat());
    session.handle(Input::End(SessionEnd::Removed));
    assert_eq!(session.handle(Input::Flushed), [Action::Done]);
}

#[test]
fn the_end_of_the_stream_is_an_answer_too() {
    let mut session = closed(SessionEnd::Replaced);
    session.handle(Input::Flushed);
    assert_eq!(session.handle(Input::EndOfStream), [Action::Done]);
    assert_eq!(session.handle(Input::EndOfStream), []);
}

#[test]
fn a_terminal_that_answers_nothing_is_cut_off() {
    let mut session = closed(SessionEnd::Removed);
    session.handle(Input::Flushed);
    assert_eq!(session.wakes_in(), Some(FAREWELL_TIME));
    assert_eq!(session.after(FAREWELL_TIME - Duration::from_millis(1)), []);
    assert_eq!(session.after(Duration::from_millis(1)), [Action::Done]);
}

#[test]
fn a_terminal_that_sends_without_end_is_cut_off_after_so_many_bytes() {
    let mut session = closed(SessionEnd::Removed);
    session.handle(Input::Flushed);
    let piece = vec![0; 64 * 1024];
    // The bytes are no frames, so they are not decoded after the first read.
    for _ in 1..FAREWELL_BYTES / piece.len() {
        assert_eq!(session.read(&piece), []);
    }
    assert_eq!(session.read(&piece), [Action::Done]);
}

#[test]
fn a_terminal_whose_bytes_can_not_be_decoded_has_stopped_when_it_is_quiet() {
    let mut session = broken();
    session.handle(Input::Flushed);
    assert_eq!(session.wakes_in(), Some(Duration::from_millis(300)));
    session.pass(Duration::from_millis(200));
    assert_eq!(session.read(b"more"), []);
    assert_eq!(session.after(Duration::from_millis(299)), []);
    assert_eq!(session.after(Duration::from_millis(1)), [Action::ShutDown]);
    assert_eq!(session.after(Duration::from_millis(300)), [], "it shuts down once");
    assert_eq!(session.handle(Input::EndOfStream), [Action::Done]);
}

#[test]
fn the_node_does_not_shut_down_before_the_close_frame_is_written() {
    let mut session = broken();
    assert_eq!(session.after(Duration::from_millis(300)), []);
    session.handle(Input::Flushed);
    assert_eq!(session.after(Duration::from_millis(300)), [Action::ShutDown]);
}

#[test]
fn bytes_that_can_not_be_decoded_after_the_close_are_discarded() {
    let mut session = closed(SessionEnd::Wire(WireError::TooBig));
    session.handle(Input::Flushed);
    assert_eq!(session.read(&close(1009, "")), [], "an answer would not be recognised");
    let mut session = closed(SessionEnd::Removed);
    assert_eq!(session.read(&frame(0x83, b"")), []);
    session.handle(Input::Flushed);
    assert_eq!(session.after(Duration::from_millis(300)), [Action::ShutDown]);
}
