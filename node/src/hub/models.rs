//! The table of sessions and the lifecycle, in every order of the threads that change them.

use std::sync::Arc;

use jiff::Timestamp;
use muster_protocol::{
    SessionId, TerminalId,
    api::{NodeState, Protocol},
};
use shuttle::thread;
use uuid::Uuid;

use super::{Hub, Lifecycle, SessionAddr, SessionInfo};
use crate::sync::in_each_order;

fn terminal() -> TerminalId {
    "t1".parse().unwrap()
}

/// Returns the session with this number. Of two sessions the one with the greater number is newer.
fn session(number: u128) -> SessionId {
    SessionId(Uuid::from_u128(number))
}

/// Inserts a session of the terminal. Returns the session that has to end.
fn insert(hub: &Hub, number: u128) -> Option<SessionId> {
    let info = SessionInfo {
        terminal: terminal(),
        session: session(number),
        protocol: Protocol::V1,
        partition: Default::default(),
        labels: Default::default(),
        address: Box::default(),
        edge: None,
        connected_at: Timestamp::UNIX_EPOCH,
    };
    let addr = SessionAddr { shard: 0, key: number as usize, session: info.session };
    hub.insert(Arc::new(info), addr).map(|addr| addr.session)
}

fn present(hub: &Hub) -> Option<SessionId> {
    hub.addr(&terminal()).map(|addr| addr.session)
}

#[test]
fn a_late_goodbye_does_not_evict_the_newer_session() {
    in_each_order(|| {
        let hub = Arc::<Hub>::default();
        insert(&hub, 1);
        let older = {
            let hub = hub.clone();
            thread::spawn(move || hub.remove(&terminal(), session(1)))
        };
        insert(&hub, 2);
        assert_eq!(present(&hub), Some(session(2)));
        older.join().unwrap();
        assert_eq!(present(&hub), Some(session(2)));
    });
}

#[test]
fn of_three_sessions_at_once_the_newest_stays_and_each_other_one_is_ended_once() {
    in_each_order(|| {
        let hub = Arc::<Hub>::default();
        let arrivals = [1, 2].map(|number| {
            let hub = hub.clone();
            thread::spawn(move || insert(&hub, number))
        });
        let mut ended: Vec<_> = insert(&hub, 3).into_iter().collect();
        ended.extend(arrivals.into_iter().filter_map(|arrival| arrival.join().unwrap()));
        ended.sort();
        assert_eq!(ended, [session(1), session(2)]);
        assert_eq!(present(&hub), Some(session(3)));
    });
}

#[test]
fn a_session_that_is_replaced_and_leaves_at_once_leaves_nothing_behind() {
    in_each_order(|| {
        let hub = Arc::<Hub>::default();
        let sessions = [1, 2].map(|number| {
            let hub = hub.clone();
            thread::spawn(move || {
                insert(&hub, number);
                hub.remove(&terminal(), session(number));
            })
        });
        sessions.into_iter().for_each(|session| session.join().unwrap());
        assert!(hub.is_empty());
    });
}

#[test]
fn the_lifecycle_never_goes_back() {
    in_each_order(|| {
        let lifecycle = Arc::<Lifecycle>::default();
        let advances = [NodeState::Leaving, NodeState::Draining].map(|state| {
            let lifecycle = lifecycle.clone();
            thread::spawn(move || lifecycle.advance(state))
        });
        let (first, second) = (lifecycle.state(), lifecycle.state());
        assert!(first as u8 <= second as u8, "from {first:?} back to {second:?}");
        advances.into_iter().for_each(|advance| advance.join().unwrap());
        assert_eq!(lifecycle.state(), NodeState::Draining);
    });
}
