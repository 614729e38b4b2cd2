//! What a terminal sends.

use muster_protocol::{
    Payload,
    api::{Protocol, TargetState},
    frame::{Condition, EVENT_MAX},
};

use super::{
    super::{Action, Input, Settings, TerminalReport},
    session::{TestSession, close, close_of, frame, id, missed, names, sent, settings, text},
};
use crate::{end::SessionEnd, wire};

/// Returns the reports that these bytes lead to in a live session.
fn reports(protocol: Protocol, bytes: &[u8]) -> Vec<TerminalReport> {
    let actions = TestSession::live(protocol).read(bytes);
    actions
        .into_iter()
        .filter_map(|action| if let Action::Report(report) = action { Some(report) } else { None })
        .collect()
}

#[test]
fn each_frame_about_a_command_is_reported_and_a_reply_before_its_state() {
    let about = |rest: &str| {
        let id = id(7).to_string();
        reports(Protocol::V1, &text(&rest.replace("ID", &id)))
    };
    let state = |state| TerminalReport::State(id(7), state);
    let reply = |json: &str| TerminalReport::Reply(id(7), Payload::from_value(&serde_json::from_str(json).unwrap()));
    assert_eq!(about(r#"{"type":"ack","id":"ID"}"#), [state(TargetState::Acked)]);
    assert_eq!(about(r#"{"type":"progress","id":"ID","payload":4}"#), [reply("4"), state(TargetState::Running)]);
    for (rest, end) in [
        (r#""ok":true"#, TargetState::Succeeded),
        (r#""ok":false"#, TargetState::Failed),
        (r#""ok":false,"reason":"rejected""#, TargetState::Rejected),
        (r#""ok":false,"reason":"expired""#, TargetState::Expired),
    ] {
        assert_eq!(about(&format!(r#"{{"type":"result","id":"ID",{rest}}}"#)), [reply("null"), state(end)]);
    }
}

#[test]
fn health_is_reported_with_the_condition_before() {
    let mut session = TestSession::live(Protocol::V1);
    let mut was = |condition: &str| {
        let actions = session.read(&text(&format!(r#"{{"type":"health","condition":"{condition}"}}"#)));
        let Action::Report(TerminalReport::Health(_, was)) = actions[1] else { panic!("{actions:?}") };
        was
    };
    assert_eq!([was("failing"), was("ok"), was("ok")], [Condition::Ok, Condition::Failing, Condition::Ok]);
}

#[test]
fn an_event_over_the_limit_is_answered_with_an_error_that_names_the_limit_and_the_session_stays() {
    let event = |size| text(&format!(r#"{{"type":"event","name":"e","payload":"{}"}}"#, "x".repeat(size)));
    let mut session = TestSession::live(Protocol::V1);
    let actions = session.read(&event(EVENT_MAX));
    assert_eq!(names(&actions), ["Heard", "Report", "Send"]);
    let error = &sent(&actions)[0];
    assert!(["too_large", "8195", "8192"].iter().all(|part| error.contains(part)), "{error}");
    assert_eq!(names(&session.read(&event(EVENT_MAX - 3))), ["Heard", "Report"]);
}

#[test]
fn bytes_in_frames_stay_bytes() {
    let bytes = Payload::from_bytes(&[0, 255]);
    let event = reports(Protocol::V1, &text(r#"{"type":"event","name":"picture","payload_base64":"AP8="}"#));
    let fields = vec![("name", Payload::from_text("picture")), ("payload_base64", bytes.clone())];
    assert_eq!(event, [TerminalReport::Event(fields)]);
    let id = id(7).to_string();
    for frame in [r#""progress","#, r#""result","ok":true,"#] {
        let frame = format!(r#"{{"type":{frame}"id":"{id}","payload_base64":"AP8="}}"#);
        let TerminalReport::Reply(_, reply) = &reports(Protocol::V1, &text(&frame))[0] else { panic!("no reply") };
        assert_eq!(*reply, bytes);
    }
}

#[test]
fn a_health_frame_with_too_many_metrics_is_answered_with_an_error() {
    let metrics: Vec<_> = (0..65).map(|number| format!("\"m{number}\":1")).collect();
    let health = format!(r#"{{"type":"health","condition":"ok","metrics":{{{}}}}}"#, metrics.join(","));
    let actions = TestSession::live(Protocol::V1).read(&text(&health));
    assert_eq!(names(&actions), ["Heard", "Send"]);
    assert!(sent(&actions)[0].contains("at most 64"));
}

#[test]
fn of_an_event_over_the_bound_the_size_alone_is_reported() {
    let fields = |size: usize| match &reports(Protocol::Plain, &text(&"x".repeat(size)))[..] {
        [TerminalReport::Event(fields)] => {
            fields.iter().map(|(name, value)| (*name, value.as_json().len())).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    // The name "message", and two quotes.
    assert_eq!(fields(8192 - 9), [("name", 9), ("payload", 8192 - 7)]);
    assert_eq!(fields(8192 - 8), [("name", 11), ("bytes", 4), ("limit", 4)]);
}

#[test]
fn bytes_are_an_event_in_plain_mode_and_end_a_session_of_v1() {
    let report =
        TerminalReport::Event(vec![("name", Payload::from_text("binary")), ("payload", Payload::from_text("AP8="))]);
    assert_eq!(reports(Protocol::Plain, &frame(0x82, &[0, 255])), [report]);
    let actions = TestSession::live(Protocol::V1).read(&frame(0x82, &[0, 255]));
    assert_eq!(close_of(&actions), Some((4500, "not a frame of muster.v1".into())));
}

#[test]
fn a_session_that_echoes_sends_each_message_back_and_reports_none() {
    let echoing = Settings { echo: true, ..settings() };
    let mut session = TestSession::open(Protocol::Plain, Default::default(), echoing).0;
    session.handle(Input::Joined(missed(10, 0)));
    let actions = session.read(&[text("hey"), frame(0x82, &[0, 255])].concat());
    assert_eq!(names(&actions), ["Heard", "Send", "Heard", "Send"]);
    assert_eq!(actions[1], Action::Send(wire::text("hey")));
    assert_eq!(actions[3], Action::Send(wire::binary(&[0, 255])));
}

#[test]
fn a_second_hello_ends_the_session() {
    let actions = TestSession::live(Protocol::V1).read(&text("{\"type\":\"hello\"}"));
    assert_eq!(actions[1], Action::End(SessionEnd::Protocol, None));
}

#[test]
fn a_ping_is_answered_with_its_payload_and_a_pong_is_no_message() {
    let actions = TestSession::live(Protocol::Plain).read(&[frame(0x89, b"hey"), frame(0x8a, b"")].concat());
    assert_eq!(names(&actions), ["Heard", "Send", "Ponged"]);
    assert_eq!(sent(&actions), ["hey"]);
}

#[test]
fn the_terminals_own_close_code_is_its_answer_and_is_told_with_the_reason() {
    for (bytes, code) in [(close(3005, "shift ends"), 3005), (close(1001, ""), 1001), (frame(0x88, b""), 1000)] {
        let actions = TestSession::live(Protocol::Plain).read(&bytes);
        assert_eq!(close_of(&actions), Some((code, String::new())));
        let Action::End(SessionEnd::Left, received) = &actions[1] else { panic!("{actions:?}") };
        let told = received.as_ref().map(|close| (close.code, close.reason.len()));
        assert_eq!(told, (bytes.len() > 6).then(|| (code, bytes.len() - 8)));
    }
}

#[test]
fn what_the_wire_does_not_allow_ends_the_session_after_the_messages_before_it() {
    let actions =
        TestSession::live(Protocol::Plain).read(&[text("whole"), frame(0x81, &[0xff]), text("late")].concat());
    assert_eq!(names(&actions), ["Heard", "Report", "End", "SendLast"]);
    assert_eq!(close_of(&actions).unwrap().0, 1007);
}

#[test]
fn a_lost_connection_ends_the_session_without_a_close() {
    let actions = TestSession::live(Protocol::V1).handle(Input::EndOfStream);
    assert_eq!(actions, [Action::End(SessionEnd::Lost, None), Action::Done]);
}

#[test]
fn a_terminal_is_read_no_faster_than_its_rate() {
    let mut session = TestSession::live(Protocol::Plain);
    session.read(&frame(0x8a, b"").repeat(2500));
    assert!(!session.wants().read);
    session.now.instant = session.wants().wake_at.unwrap();
    assert!(session.wants().read && session.wants().wake_at.is_none());
}
