//! Before the hello.

use std::time::Duration;

use muster_protocol::{
    api::Protocol,
    selector::{Labels, SayableKeys},
};

use super::{
    super::{Action, Input},
    session::{TestSession, close, close_of, frame, names, settings, text},
};
use crate::{end::SessionEnd, wire::ReceivedClose};

fn labels(of: &[(&str, &str)]) -> Labels {
    of.iter().map(|(key, value)| (String::from(*key), String::from(*value))).collect()
}

#[test]
fn a_plain_session_enters_and_registers_at_once() {
    let site = labels(&[("site", "bj")]);
    let (session, actions) = TestSession::open(Protocol::Plain, site.clone(), settings());
    assert_eq!(names(&actions), ["Enter", "Join"]);
    assert_eq!(actions[0], Action::Enter(site));
    assert!(session.wants().read);
}

#[test]
fn a_hello_enters_and_registers_and_replaces_no_label_of_the_token() {
    let token = labels(&[("site", "bj")]);
    let (mut session, actions) = TestSession::open(Protocol::V1, token, settings());
    assert_eq!(actions, []);
    let hello = r#"{"type":"hello","labels":{"site":"sh","rack":"7"},"resume":"0000000e-4","will":1}"#;
    let actions = session.read(&text(hello));
    assert_eq!(names(&actions), ["Enter", "Join"]);
    assert_eq!(actions[0], Action::Enter(labels(&[("rack", "7"), ("site", "bj")])));
    let Action::Join(call) = &actions[1] else { panic!("{actions:?}") };
    assert_eq!(
        (call.cursor.as_ref().unwrap().to_string(), call.again, call.patient),
        ("0000000e-4".into(), false, false)
    );
    assert!(call.will.is_some());
}

#[test]
fn what_is_no_hello_closes_the_connection_and_reports_nothing() {
    let too_many = format!(r#"{{"type":"hello","labels":{{"{}":"x"}}}}"#, "k".repeat(65));
    for bytes in [
        text("{\"type\":\"ack\"}"),
        text("nonsense"),
        frame(0x82, b"binary"),
        text(&too_many),
        [text("nonsense"), text("{\"type\":\"hello\"}")].concat(),
    ] {
        let actions = TestSession::opened().read(&bytes);
        assert_eq!(names(&actions), ["End", "SendLast"]);
        assert_eq!(close_of(&actions).unwrap().0, 4500);
    }
}

#[test]
fn labels_that_the_token_does_not_let_a_terminal_say_are_under_self() {
    let say = SayableKeys::Listed(vec!["floor".into()]);
    let (mut session, _) = TestSession::open_saying(Protocol::V1, labels(&[("role", "till")]), say, settings());
    let hello = r#"{"type":"hello","labels":{"role":"vault","floor":"2"}}"#;
    let expected = labels(&[("role", "till"), ("self.role", "vault"), ("floor", "2")]);
    assert_eq!(session.read(&text(hello))[0], Action::Enter(expected));
}

#[test]
fn without_a_hello_the_connection_closes_at_its_deadline_and_not_before() {
    let mut session = TestSession::opened();
    assert_eq!(session.wakes_in(), Some(Duration::from_secs(5)));
    assert_eq!(session.after(Duration::from_millis(4999)), []);
    let actions = session.after(Duration::from_millis(1));
    assert_eq!(actions[0], Action::End(SessionEnd::NoHello, None));
    assert_eq!(close_of(&actions), Some((4500, "no hello in time".into())));
}

#[test]
fn pings_before_the_hello_are_ignored_but_charged() {
    let mut session = TestSession::opened();
    let pings = frame(0x89, b"").repeat(2500);
    assert_eq!(session.read(&pings), [Action::Pause]);
    let wants = session.wants();
    assert!(!wants.read, "more than four seconds' worth was read");
    assert!(wants.wake_at.unwrap() > session.now.instant);
    session.pass(Duration::from_secs(2));
    assert!(session.wants().read);
}

#[test]
fn a_terminal_that_leaves_before_its_hello_is_answered() {
    let received = ReceivedClose { code: 1001, reason: "bye".into() };
    let actions = TestSession::opened().read(&close(1001, "bye"));
    assert_eq!(actions[0], Action::End(SessionEnd::Left, Some(Box::new(received))));
    assert_eq!(close_of(&actions), Some((1001, String::new())));
    let actions = TestSession::opened().handle(Input::EndOfStream);
    assert_eq!(actions, [Action::End(SessionEnd::Lost, None), Action::Done]);
}

#[test]
fn the_node_may_end_a_connection_before_its_hello() {
    let actions = TestSession::opened().handle(Input::End(SessionEnd::Removed));
    assert_eq!(names(&actions), ["End", "SendLast"]);
}
