//! Newer tokens.

use std::time::Duration;

use muster_protocol::api::Protocol;

use super::{
    super::{Action, Input},
    session::{EXPIRES, TestSession, event, frame, names, sent, text},
};
use crate::end::SessionEnd;

fn token(length: usize) -> Vec<u8> {
    text(&format!(r#"{{"type":"token","token":"{}"}}"#, "t".repeat(length)))
}

#[test]
fn a_later_token_extends_the_session_and_the_next_must_be_later_still() {
    let mut session = TestSession::live(Protocol::V1);
    for (expires, name) in
        [(EXPIRES, "Send"), (EXPIRES + 1, "SetExpiry"), (EXPIRES + 1, "Send"), (EXPIRES + 2, "SetExpiry")]
    {
        session.pass(Duration::from_secs(1));
        assert_eq!(names(&session.read(&token(20))), ["Heard", "Verify"]);
        assert_eq!(names(&session.handle(Input::Verified(Ok(Some(expires))))), [name]);
    }
}

#[test]
fn a_token_that_never_expires_extends_the_session_and_later_ones_are_ignored() {
    let mut session = TestSession::live(Protocol::V1);
    session.read(&token(20));
    assert_eq!(session.handle(Input::Verified(Ok(None))), [Action::SetExpiry(None)]);
    session.pass(Duration::from_secs(1));
    assert_eq!(session.read(&token(20)), [Action::Heard]);
}

#[test]
fn a_refused_token_is_answered_and_a_long_one_is_not_looked_at() {
    let mut session = TestSession::live(Protocol::V1);
    session.read(&token(20));
    let actions = session.handle(Input::Verified(Err("it is forged".into())));
    assert!(sent(&actions)[0].contains("token_refused") && sent(&actions)[0].contains("it is forged"));
    session.pass(Duration::from_secs(1));
    let actions = session.read(&token(16 * 1024 + 1));
    assert_eq!(names(&actions), ["Heard", "Send"]);
    assert!(sent(&actions)[0].contains("longer than 16384 bytes"));
}

#[test]
fn one_token_a_second_is_looked_at() {
    let mut session = TestSession::live(Protocol::V1);
    session.read(&token(20));
    session.handle(Input::Verified(Err("no".into())));
    let actions = session.read(&token(20).repeat(3));
    assert_eq!(sent(&actions).iter().filter(|text| text.contains("token_too_soon")).count(), 3);
}

#[test]
fn what_follows_a_token_waits_until_it_was_verified() {
    let mut session = TestSession::live(Protocol::V1);
    assert_eq!(names(&session.read(&[token(20), event("a"), frame(0x89, b"")].concat())), ["Heard", "Verify"]);
    assert!(!session.wants().read);
    let actions = session.handle(Input::Verified(Ok(Some(EXPIRES + 1))));
    assert_eq!(names(&actions), ["SetExpiry", "Heard", "Report", "Heard", "Send"]);
    assert!(session.wants().read);
}

#[test]
fn a_verdict_after_the_end_or_without_a_token_changes_nothing() {
    let mut session = TestSession::live(Protocol::V1);
    assert_eq!(session.handle(Input::Verified(Ok(None))), []);
    session.read(&token(20));
    session.handle(Input::End(SessionEnd::TokenExpired));
    assert_eq!(session.handle(Input::Verified(Ok(None))), []);
}
