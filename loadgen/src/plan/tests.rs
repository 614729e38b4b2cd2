//! Tests of the properties of a plan.

use super::*;
use crate::{clock::SECOND, config::tests::config};

fn plan(flags: &str, seed: u64) -> Plan {
    Plan::new(&config(flags), seed)
}

#[test]
fn equal_seeds_make_equal_schedules() {
    let flags = "--terminals 200 --churn 5%/s --leave close,reset --commands poisson:3 --mute 10%";
    let (once, again, other) = (plan(flags, 1), plan(flags, 1), plan(flags, 2));
    assert_eq!((once.hash(), once.intended(0, SECOND)), (again.hash(), again.intended(0, SECOND)));
    assert_ne!(once.hash(), other.hash());
    assert_ne!(once.intended(0, SECOND).1, other.intended(0, SECOND).1);
}

#[test]
fn departures_match_the_configured_churn() {
    let plan = plan("--terminals 200 --churn 5%/s --for 20s --broadcasts 5", 7);
    assert_eq!(plan.messages.len(), 100);
    // 200 terminals, 5 % per second, 20 s: 200 departures are expected; the bounds are four standard deviations.
    let departures: usize = plan.terminals.iter().map(|planned| planned.stays.len() - 1).sum();
    assert!((140..260).contains(&departures), "{departures}");
    for planned in &plan.terminals {
        assert!(planned.stays.windows(2).all(|pair| pair[1].from > pair[0].to), "{planned:?}");
        assert_eq!(planned.stays.last().unwrap().to, plan.last);
    }
}

#[test]
fn periodic_stays_and_waves_are_exact() {
    let every = plan("--terminals 50 --churn every:3s --away 1s --away-min 1s --for 20s", 7);
    let lengths = every.terminals.iter().flat_map(|planned| planned.stays[1..planned.stays.len() - 1].iter());
    assert!(lengths.clone().count() > 100 && lengths.into_iter().all(|stay| stay.to - stay.from == 3 * SECOND));

    let waves = plan("--terminals 100 --churn together:30%:5s --for 20s", 7);
    let mut departures: Vec<_> = waves.terminals.iter().flat_map(|l| &l.stays).map(|stay| stay.to).collect();
    departures.retain(|to| *to != waves.last);
    assert!(departures.iter().all(|to| (to - waves.begin).is_multiple_of(5 * SECOND)));
    assert!((60..120).contains(&departures.len()), "{}", departures.len());
}

#[test]
fn a_twin_connects_when_the_other_connection_would_leave() {
    let twins = plan("--terminals 20 --churn 20%/s --leave twin", 7);
    assert!(twins.terminals.iter().all(|planned| planned.stays.windows(2).all(|pair| pair[1].from == pair[0].to)));
}

#[test]
fn behaviours_are_exact_shares() {
    let plan = plan("--terminals 200 --mute 5% --slow 1%:1KB/s", 7);
    let count = |behaviour| plan.terminals.iter().filter(|planned| planned.behaviour == behaviour).count();
    assert_eq!((count(Behaviour::Mute), count(Behaviour::Slow), count(Behaviour::Good)), (10, 2, 188));
}

#[test]
fn only_terminals_connected_through_the_window_are_intended() {
    let still = plan("--terminals 10 --broadcasts 1 --for 5s --commands 2", 1);
    assert_eq!(still.intended(SECOND / 4, 5 * SECOND).0, 5 * 10 + 10);
}
