//! Whatever comes, in whatever order: answers to nothing, ends in the middle, bytes that are no frames.

use std::time::Duration;

use muster_protocol::api::Protocol;
use proptest::{collection::vec, prelude::*};

use super::{
    super::{Action, Input, closing::FAREWELL_TIME},
    session::{EXPIRES, TestSession, close, command, event, frame, id, missed, settings, text},
};
use crate::{backplane::JoinOutcome, end::SessionEnd};

/// One thing that may happen.
#[derive(Debug, Clone)]
enum RandomInput {
    Read(Vec<u8>),
    EndOfStream,
    Time(u64),
    Joined(u8),
    Fetched(Option<usize>),
    Flushed,
    Rejoin,
    Verified(bool),
    End,
}

fn random_input() -> impl Strategy<Value = RandomInput> {
    let bytes = prop_oneof![
        4 => Just(text("{\"type\":\"hello\"}")),
        4 => Just(event("a")),
        4 => Just(text(&format!(r#"{{"type":"progress","id":"{}"}}"#, id(1)))),
        4 => Just(text(r#"{"type":"token","token":"abc"}"#)),
        4 => (1..300_usize).prop_map(|count| frame(0x89, b"").repeat(count)),
        2 => Just(frame(0x01, b"begun")),
        2 => vec(any::<u8>(), 0..200),
        1 => Just(close(1000, "")),
    ];
    let cut = (bytes, any::<prop::sample::Index>(), prop::bool::weighted(0.2)).prop_map(|(bytes, at, is_cut)| {
        let end = if is_cut { at.index(bytes.len() + 1) } else { bytes.len() };
        RandomInput::Read(bytes[..end].to_vec())
    });
    prop_oneof![
        12 => cut,
        1 => Just(RandomInput::EndOfStream),
        4 => (0..40_000_u64).prop_map(RandomInput::Time),
        6 => (0..6_u8).prop_map(RandomInput::Joined),
        6 => prop::option::of(0..80_usize).prop_map(RandomInput::Fetched),
        6 => Just(RandomInput::Flushed),
        3 => Just(RandomInput::Rejoin),
        3 => any::<bool>().prop_map(RandomInput::Verified),
        1 => Just(RandomInput::End),
    ]
}

fn outcome(kind: u8) -> JoinOutcome {
    match kind {
        0 => JoinOutcome::Away,
        1 => JoinOutcome::Contested(Duration::from_secs(2)),
        2 => JoinOutcome::Ended(SessionEnd::Replaced),
        kind => missed(500, u64::from(kind - 3) * 40),
    }
}

fn happen(session: &mut TestSession, random_input: &RandomInput) -> Vec<Action> {
    match random_input {
        RandomInput::Read(bytes) => session.read(bytes),
        RandomInput::EndOfStream => session.handle(Input::EndOfStream),
        RandomInput::Time(millis) => session.after(Duration::from_millis(*millis)),
        RandomInput::Joined(kind) => session.handle(Input::Joined(outcome(*kind))),
        RandomInput::Fetched(count) => {
            let frames = count.map(|count| (0..count as u64).map(|number| Some(command(id(number), "x"))).collect());
            session.handle(Input::Fetched(frames))
        }
        RandomInput::Flushed => session.handle(Input::Flushed),
        RandomInput::Rejoin => session.handle(Input::Rejoin { received_up_to: 10 }),
        RandomInput::Verified(later) => {
            session.handle(Input::Verified(if *later { Ok(Some(EXPIRES + 1)) } else { Err("no".into()) }))
        }
        RandomInput::End => session.handle(Input::End(SessionEnd::Removed)),
    }
}

/// Returns the most frames that so many bytes may hold: the smallest frame has six bytes.
fn frames_of(random_input: &RandomInput) -> usize {
    if let RandomInput::Read(bytes) = random_input { bytes.len() / 6 + 1 } else { 0 }
}

/// Checks what holds of all that a session did.
fn check(all: &[Action]) {
    let count = |is: fn(&Action) -> bool| all.iter().filter(|action| is(action)).count();
    assert_eq!(count(|action| matches!(action, Action::End(..))), 1, "there is one end: {all:?}");
    assert_eq!(count(|action| *action == Action::Done), 1, "and one last action: {all:?}");
    assert_eq!(all.last(), Some(&Action::Done), "nothing follows it");
    let end = all.iter().position(|action| matches!(action, Action::End(..))).unwrap();
    let after = &all[end + 1..];
    let may_follow = |action: &Action| matches!(action, Action::SendLast(_) | Action::ShutDown | Action::Done);
    assert!(after.iter().all(may_follow), "nothing is sent or reported after the end: {after:?}");
    assert!(
        after.iter().filter(|action| matches!(action, Action::SendLast(_))).count() <= 1,
        "one close frame: {after:?}"
    );
    let enters = all.iter().position(|action| matches!(action, Action::Enter(_))).unwrap_or(end);
    let early =
        |action: &Action| matches!(action, Action::Heard | Action::Report(_) | Action::Send(_) | Action::Join(_));
    assert!(!all[..enters].iter().any(early), "nobody knows a connection before it enters: {all:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn whatever_comes_there_is_one_end_and_nothing_after_it_and_the_work_is_bounded(
        is_plain in any::<bool>(),
        inputs in vec(random_input(), 0..60),
    ) {
        let protocol = if is_plain { Protocol::Plain } else { Protocol::V1 };
        let (mut session, mut all) = TestSession::open(protocol, Default::default(), settings());
        // The frames whose messages may still wait.
        let mut waiting = 0;
        for random_input in &inputs {
            waiting += frames_of(random_input);
            let next = happen(&mut session, random_input);
            prop_assert!(next.len() <= 3 * waiting + 10, "{} actions of {random_input:?}", next.len());
            let wants = session.wants();
            if wants.read {
                waiting = 0;
            }

            all.extend(next);
        }
        all.extend(session.handle(Input::End(SessionEnd::Removed)));
        all.extend(session.after(FAREWELL_TIME));
        prop_assert!(session.machine.is_done());
        check(&all);
    }
}
