use std::{ops::Range, time::Duration};

use muster_protocol::{RolloutId, api::RolloutRequest};
use uuid::Uuid;

use super::*;
use crate::backplane::{FrozenTargets, HeldPortion, PositionSet};

const SECOND: Duration = Duration::from_secs(1);

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// A rollout of 2,000 targets that are frozen, with these waves and these further fields.
fn rollout(waves: &str, fields: &str) -> RolloutRecord {
    let request = format!(r#"{{"target":{{"all":true}},"command":{{"name":"update"}},"waves":{waves}{fields}}}"#);
    let request: RolloutRequest = serde_json::from_str(&request).unwrap();
    let mut rollout = RolloutRecord::new(RolloutId(Uuid::from_u128(1)), request, "ann", now());
    rollout.state = RolloutState::Running;
    rollout.frozen = FrozenTargets { count: 2000, after: None, is_whole: true };
    rollout
}

/// The same after these positions of a wave were sent.
fn sent(mut rollout: RolloutRecord, wave: usize, positions: Range<u64>) -> RolloutRecord {
    let targets = positions.end - positions.start;
    let portion = PortionRecord::new(0, wave, positions, None, now());
    rollout.wave = wave;
    rollout.portions.push(PortionRecord {
        accepted_at: Some(now()),
        command: Some(muster_protocol::CommandId(Uuid::from_u128(7))),
        targets,
        ..portion
    });
    rollout
}

fn outcome(succeeded: u64, failed: u64, silent: u64, waiting: u64) -> WaveOutcome {
    WaveOutcome { succeeded, failed, silent, waiting }
}

fn canary() -> RolloutRecord {
    sent(rollout(r#"[{"count":10},{"rest":true}]"#, r#","stop":{"failed":0.2}"#), 0, 0..10)
}

fn begin(wave: usize, positions: Range<u64>) -> RolloutStep {
    RolloutStep::Begin { wave, positions, only: None }
}

fn stops(step: RolloutStep, says: &str) {
    let RolloutStep::Enter(RolloutState::Stopped, Some(reason)) = &step else { panic!("{step:?}") };
    assert!(reason.contains(says), "{reason}");
}

#[test]
fn a_wave_begins_once_enough_of_the_one_before_have_succeeded() {
    let start = rollout(r#"[{"count":10},{"rest":true}]"#, "");
    assert_eq!(next_step(&start, &outcome(0, 0, 0, 0), now()), begin(0, 0..10));
    let step = |outcome| next_step(&canary(), &outcome, now());
    assert_eq!(step(outcome(0, 0, 0, 10)), RolloutStep::Wait);
    assert_eq!(step(outcome(9, 0, 0, 1)), RolloutStep::Wait);
    assert_eq!(step(outcome(10, 0, 0, 0)), begin(1, 10..2000));
    stops(step(outcome(9, 1, 0, 0)), "wave 1: 9 of 10 targets succeeded, fewer than 95 %");
}

#[test]
fn beyond_a_share_of_failures_or_silence_it_stops_and_not_at_it() {
    let step = |outcome| next_step(&canary(), &outcome, now());
    stops(step(outcome(7, 3, 0, 0)), "wave 1: 3 of the 10 targets that have ended failed, more than 20 %");
    stops(step(outcome(3, 2, 0, 5)), "2 of the 5");
    assert_eq!(step(outcome(0, 3, 0, 7)), RolloutStep::Wait, "fewer than the minimum have ended");
    stops(step(outcome(7, 2, 0, 1)), "2 of the 9");
    stops(step(outcome(8, 2, 0, 0)), "fewer than 95 %");
    stops(step(outcome(8, 0, 2, 0)), "2 of 10 targets are silent, more than 10 %");
    let all = sent(rollout(r#"[{"count":3},{"rest":true}]"#, ""), 0, 0..3);
    stops(next_step(&all, &outcome(2, 1, 0, 0), now()), "1 of the 3");
}

#[test]
fn a_large_wave_is_sent_in_portions_and_a_paced_one_portion_after_portion() {
    let mut large = rollout(r#"[{"rest":true}]"#, "");
    large.frozen.count = 12_000;
    let large = sent(large, 0, 0..5000);
    let waiting = outcome(0, 0, 0, 5000);
    assert_eq!(next_step(&large, &waiting, now()), begin(0, 5000..10_000));
    let mut paced = large;
    paced.portions[0].paced_until = Some(now() + SECOND);
    assert_eq!(next_step(&paced, &waiting, now()), RolloutStep::Wait);
    assert_eq!(next_step(&paced, &waiting, now() + SECOND), begin(0, 5000..10_000));
}

#[test]
fn the_last_wave_is_waited_for_and_needs_no_share() {
    let last = sent(canary(), 1, 10..2000);
    assert_eq!(next_step(&last, &outcome(1980, 0, 0, 10), now()), RolloutStep::Wait);
    assert_eq!(next_step(&last, &outcome(1800, 90, 100, 0), now()), RolloutStep::Enter(RolloutState::Done, None));
}

#[test]
fn a_rollout_that_selects_nobody_is_done_and_says_so() {
    let mut nobody = rollout(r#"[{"count":10},{"rest":true}]"#, "");
    nobody.frozen.count = 0;
    let step = next_step(&nobody, &WaveOutcome::default(), now());
    assert!(matches!(&step, RolloutStep::Enter(RolloutState::Done, Some(_))), "{step:?}");
}

#[test]
fn outside_its_window_nothing_is_begun_and_what_is_paced_is_held() {
    // 2027-01-15, a Friday, 08:00 UTC.
    let window = r#","window":{"from":"09:00","to":"10:00","zone":"UTC"}"#;
    let mut waits = rollout(r#"[{"count":10},{"rest":true,"rate":5}]"#, window);
    let closed = next_step(&waits, &WaveOutcome::default(), now());
    assert!(matches!(closed, RolloutStep::Enter(RolloutState::WaitingWindow, Some(_))), "{closed:?}");
    waits.state = RolloutState::WaitingWindow;
    let open = now() + 3600 * SECOND;
    assert_eq!(next_step(&waits, &WaveOutcome::default(), now()), RolloutStep::Wait);
    assert_eq!(next_step(&waits, &WaveOutcome::default(), open), RolloutStep::Enter(RolloutState::Running, None));
    let mut paced = sent(waits, 1, 10..2000);
    paced.state = RolloutState::Running;
    paced.portions[0].paced_until = Some(open + 7200 * SECOND);
    let waiting = outcome(5, 0, 0, 1985);
    assert_eq!(next_step(&paced, &waiting, open), RolloutStep::Wait);
    assert_eq!(next_step(&paced, &waiting, open + 3600 * SECOND), RolloutStep::Hold(0));
}

#[test]
fn a_paced_portion_is_held_settled_and_carried_on() {
    let mut held = sent(rollout(r#"[{"rest":true,"rate":5}]"#, ""), 0, 0..2000);
    held.portions[0].paced_until = Some(now() + 400 * SECOND);
    held.state = RolloutState::Paused;
    let step =
        |rollout: &RolloutRecord, seconds: u32| next_step(rollout, &outcome(0, 0, 0, 2000), now() + seconds * SECOND);
    assert_eq!(step(&held, 0), RolloutStep::Hold(0));
    held.portions[0].held = Some(HeldPortion { at: None, rest: None, is_carried_on: false });
    for state in [RolloutState::Running, RolloutState::Paused] {
        held.state = state;
        assert_eq!(step(&held, 500), RolloutStep::Hold(0), "not each partition has cancelled it: {state:?}");
    }
    held.portions[0].held = Some(HeldPortion { at: Some(now()), rest: None, is_carried_on: false });
    assert_eq!((step(&held, 9), step(&held, 10)), (RolloutStep::Wait, RolloutStep::KeepRest(0)));
    held.state = RolloutState::Running;
    assert_eq!(
        (step(&held, 9), step(&held, 10)),
        (RolloutStep::Wait, RolloutStep::KeepRest(0)),
        "also if it is resumed before"
    );
    let rest: PositionSet = (100..2000).collect();
    held.portions[0].held = Some(HeldPortion { at: Some(now()), rest: Some(rest.clone()), is_carried_on: false });
    assert_eq!(step(&held, 11), RolloutStep::Begin { wave: 0, positions: 0..2000, only: Some(rest) });
    held.state = RolloutState::Paused;
    assert_eq!(step(&held, 11), RolloutStep::Wait);
}

#[test]
fn what_was_begun_is_accepted_and_only_looked_for_once_nothing_may_be_sent() {
    let mut begun = canary();
    begun.portions[0].accepted_at = None;
    let step = |rollout: &RolloutRecord, hours: u32| {
        next_step(rollout, &WaveOutcome::default(), now() + 3600 * hours * SECOND)
    };
    assert_eq!(step(&begun, 0), RolloutStep::Accept(0));
    stops(step(&begun, 23), "not known whether wave 1 was sent");
    for state in [RolloutState::Paused, RolloutState::Stopped] {
        begun.state = state;
        assert_eq!(step(&begun, 0), RolloutStep::Look(0), "{state:?}");
    }
}

#[test]
fn a_stopped_rollout_is_settled_once_its_commands_are_cancelled() {
    let mut stopped = sent(canary(), 1, 10..2000);
    stopped.state = RolloutState::Stopped;
    stopped.portions[0].is_cancelled = true;
    assert_eq!(
        (next_step(&stopped, &WaveOutcome::default(), now()), stopped.is_settled()),
        (RolloutStep::Cancel(1), false)
    );
    stopped.portions[1].is_cancelled = true;
    assert_eq!((next_step(&stopped, &WaveOutcome::default(), now()), stopped.is_settled()), (RolloutStep::Wait, true));
}
