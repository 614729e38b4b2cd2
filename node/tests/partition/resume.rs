//! A session that joins gets what was accepted for it, and nothing of what it has confirmed.

use std::collections::BTreeMap;

use muster_protocol::api::TargetState::{Acked, Sent, Succeeded};

use crate::{
    commands::{ask, bounds, draft},
    fixtures::{ids, session, with},
    store::TestPartition,
};
use muster_protocol::api::{Protocol, TargetState};

#[tokio::test]
async fn a_session_that_joins_gets_what_it_has_not_confirmed() {
    let store = TestPartition::start().await;
    let (ordinal, _) = store.joined(&session("a"), "n1").await;
    let (drafts, bounds) = ([0; 6].map(|_| draft("")), bounds());
    let named = ["a".parse().unwrap()];
    for (at, draft) in drafts.iter().enumerate() {
        if at % 2 == 0 {
            assert_eq!(store.accept_set(draft, "all\n").await, 1);
        } else {
            store.partition.accept_one(&ask(draft, &bounds), &named).await.unwrap();
        }
    }
    let id = |at: usize| drafts[at].frame.id;
    store.raise(id(0), Sent, &[(ordinal, 5)]).await;
    store.raise(id(1), Sent, &[(ordinal, 5)]).await;
    store.raise(id(2), Succeeded, &[(ordinal, 5)]).await;
    store.raise(id(3), Acked, &[(ordinal, 5)]).await;
    let (_, point) = store.joined(&session("a"), "n1").await;
    assert_eq!(ids(&point.missed), [id(0), id(1), id(4), id(5)]);
    assert!(point.missed.iter().map(|missed| missed.to_all).eq([true, false, true, false]));
    store.partition.cancel(id(4), Some(false), None).await.unwrap();
    store.partition.cancel(id(5), Some(false), None).await.unwrap();
    let plain = with(session("a"), |info| info.protocol = Protocol::Plain);
    let (_, point) = store.joined(&plain, "n1").await;
    assert_eq!(ids(&point.missed), [id(1)], "a plain terminal has what was sent to it, unless it is in its backlog");
}

#[tokio::test]
async fn a_terminal_that_was_forgotten_is_still_shown_by_its_name_and_gets_nothing_of_before() {
    let store = TestPartition::start().await;
    let (ordinal, _) = store.joined(&session("a"), "n1").await;
    let many = draft("");
    store.accept_set(&many, "all\n").await;
    assert!(store.partition.forget(&"a".parse().unwrap()).await.unwrap());
    let (other, point) = store.joined(&session("a"), "n1").await;
    assert!(other != ordinal && point.missed.is_empty());
    assert_eq!(store.raise(many.frame.id, Acked, &[(other, 5)]).await, 0);
    let shown: Vec<_> = store.targets(many.frame.id).await;
    assert_eq!((shown.len(), shown[0].terminal.as_str(), shown[0].ordinal), (1, "a", ordinal));
    assert_eq!(store.counts(many.frame.id).await, BTreeMap::from([(TargetState::Queued, 1)]));
}
