//! However the bytes of a terminal are cut into reads, the session does the same.

use muster_protocol::api::Protocol;
use proptest::{collection::vec, prelude::*, sample::Index};

use super::{
    super::{Action, Input},
    session::{EXPIRES, TestSession, close, event, fetched, frame, id, missed, settings, text},
};
use crate::backplane::JoinOutcome;

/// Frames of a terminal, valid or not.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let about = |kind: &str| text(&format!(r#"{{"type":"{kind}","id":"{}","ok":true}}"#, id(1)));
    let control = prop_oneof![
        8 => Just(frame(0x89, b"ping")),
        4 => Just(frame(0x8a, b"")),
        1 => Just(close(1001, "bye")),
        1 => Just(frame(0x88, b"")),
    ];
    let data = prop_oneof![
        8 => Just(text("{\"type\":\"hello\"}")),
        4 => Just(about("ack")),
        4 => Just(about("result")),
        8 => "[a-z]{1,5}".prop_map(|name| event(&name)),
        4 => Just(text(r#"{"type":"token","token":"abc"}"#)),
        2 => Just(text("odd")),
        2 => Just([frame(0x01, b"{\"type\":"), frame(0x89, b"!"), frame(0x80, b"\"odd\"}")].concat()),
        1 => Just(frame(0x82, b"binary")),
    ];
    let bad = prop_oneof![Just(frame(0x83, b"")), Just(frame(0x81, &[0xff])), vec(any::<u8>(), 1..8)];
    prop_oneof![8 => control, 24 => data, 1 => bad]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let hello = text("{\"type\":\"hello\"}");
    (prop::bool::weighted(0.9), vec(frames(), 0..24))
        .prop_map(move |(greets, frames)| [if greets { hello.clone() } else { vec![] }, frames.concat()].concat())
}

/// Returns the outcomes of joining, in turn; the last one stays.
fn outcomes() -> impl Strategy<Value = Vec<u64>> {
    vec(0..4_u64, 1..4)
}

fn outcome(kind: u64) -> JoinOutcome {
    match kind {
        0 => JoinOutcome::Away,
        1 => JoinOutcome::Contested(std::time::Duration::from_secs(1)),
        _ => missed(10, kind),
    }
}

/// Gives a session the bytes in reads that end at these places. Answers a call, or ends a wait, only when the session
/// reads no more or has read all. Returns what the session did until nothing was left to do.
fn run(protocol: Protocol, bytes: &[u8], ends: &[usize], outcomes: &[u64]) -> Vec<Action> {
    let mut settings = settings();
    settings.max_rate = u32::MAX;
    let (mut session, mut all) = TestSession::open(protocol, Default::default(), settings);
    let (mut read, mut answered, mut joins) = (0, 0, 0);
    // Far more than there is to do.
    for _ in 0..10 * (bytes.len() + 100) {
        let mut next = if session.wants().read && read < bytes.len() {
            let end = ends.iter().copied().filter(|end| *end > read).min().unwrap_or(bytes.len());
            let next = session.read(&bytes[read..end]);
            read = end;
            next
        } else if let Some(call) = all[answered..].iter().position(is_call).map(|at| answered + at) {
            answered = call + 1;
            match &all[call] {
                Action::Join(_) => {
                    joins += 1;
                    session.handle(Input::Joined(outcome(*outcomes.get(joins - 1).unwrap_or(&3))))
                }
                Action::Verify(_) => session.handle(Input::Verified(Ok(Some(EXPIRES + 1)))),
                _ => {
                    let frames = fetched(&all[call..=call], "x");
                    session.handle(Input::Fetched(frames))
                }
            }
        } else if session.wants().flush {
            session.handle(Input::Flushed)
        } else if let Some(at) = session.wants().wake_at {
            session.now.instant = at;
            session.handle(Input::Time)
        } else {
            // How often a session notes that it heard something is of no account.
            all.retain(|action| *action != Action::Heard);
            return all;
        };
        all.append(&mut next);
    }
    panic!("it never ends: {all:?}");
}

fn is_call(action: &Action) -> bool {
    matches!(action, Action::Join(_) | Action::Fetch(_) | Action::Verify(_))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn bytes_that_are_cut_in_other_places_lead_to_the_same_actions(
        is_plain in prop::bool::weighted(0.2),
        bytes in stream(),
        cuts in vec(any::<Index>(), 0..20),
        outcomes in outcomes(),
    ) {
        let protocol = if is_plain { Protocol::Plain } else { Protocol::V1 };
        let whole = run(protocol, &bytes, &[], &outcomes);
        let ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        prop_assert_eq!(&whole, &run(protocol, &bytes, &ends, &outcomes));
        let each: Vec<_> = (0..bytes.len()).collect();
        prop_assert_eq!(&whole, &run(protocol, &bytes, &each, &outcomes));
    }
}
