//! Idempotency keys of commands that are accepted in another partition.

use muster_node::backplane::{
    BackplaneError, IdempotencyKey,
    redis::partition::{KeyOutcome, PartitionAccepted, PartitionBounds},
};

use crate::{
    commands::{ask, bounds, draft, terminals},
    store::TestPartition,
};

fn key(body: &str) -> IdempotencyKey {
    IdempotencyKey::new("ann", "k", body.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_reserved_key_is_one_id_until_it_is_released() {
    let (store, bounds) = (TestPartition::start().await, bounds());
    let (first, second) = (draft("").frame.id, draft("").frame.id);
    let reserve = async |body, id| store.partition.reserve_key(&key(body), id, &bounds).await;
    assert_eq!(reserve("a", first).await, Ok(KeyOutcome::Reserved(first)));
    assert_eq!(reserve("b", second).await, Err(BackplaneError::OtherBody(first)));
    store.partition.release_key(&key("a"), first).await.unwrap();
    assert_eq!(reserve("b", second).await, Ok(KeyOutcome::Reserved(second)), "what was refused left nothing");
    assert_eq!(store.ask::<i64>("GET", "used", &[]).await, 300);
}

#[tokio::test]
async fn a_key_that_two_have_asked_for_is_not_released() {
    let (store, bounds) = (TestPartition::start().await, bounds());
    let (first, second) = (draft("").frame.id, draft("").frame.id);
    let reserve = async |id| store.partition.reserve_key(&key("a"), id, &bounds).await;
    reserve(first).await.unwrap();
    assert_eq!(reserve(second).await, Ok(KeyOutcome::Reserved(first)), "nobody knows what became of it");
    // One of the two was refused; the other may be accepted at this moment.
    store.partition.release_key(&key("a"), first).await.unwrap();
    assert_eq!(reserve(second).await, Ok(KeyOutcome::Reserved(first)));
    assert_eq!(store.partition.used_key(&key("a"), second).await, Ok(Some(first)));
    assert_eq!(store.partition.used_key(&key("b"), second).await, Err(BackplaneError::OtherBody(first)));
    let unused = IdempotencyKey::new("bob", "k", b"a").unwrap();
    assert_eq!(store.partition.used_key(&unused, second).await, Ok(None));
}

#[tokio::test]
async fn a_confirmed_key_stays_even_if_another_releases_it() {
    let (store, bounds) = (TestPartition::start().await, bounds());
    let (first, second) = (draft("").frame.id, draft("").frame.id);
    let reserve = async |body, id| store.partition.reserve_key(&key(body), id, &bounds).await;
    reserve("a", first).await.unwrap();
    store.partition.confirm_key(&key("a"), first).await.unwrap();
    store.partition.release_key(&key("a"), first).await.unwrap();
    assert_eq!(reserve("a", second).await, Ok(KeyOutcome::Before(first)));
    // One who asked with the same id was refused, and released it before it was confirmed.
    let store = TestPartition::start().await;
    let reserve = async |body, id| store.partition.reserve_key(&key(body), id, &bounds).await;
    reserve("a", first).await.unwrap();
    store.partition.release_key(&key("a"), first).await.unwrap();
    store.partition.confirm_key(&key("a"), first).await.unwrap();
    assert_eq!(reserve("a", second).await, Ok(KeyOutcome::Before(first)));
}

#[tokio::test]
async fn a_key_that_is_reserved_elsewhere_refuses_another_body_here() {
    let store = TestPartition::start().await;
    store.register(0, 1, None).await;
    let (reserved, bounds) = (draft("").frame.id, bounds());
    store.partition.reserve_key(&key("a"), reserved, &bounds).await.unwrap();
    let mut other = draft("");
    other.key = Some(key("b"));
    let refused = store.partition.accept_one(&ask(&other, &bounds), &terminals(&[0])).await;
    assert_eq!(refused, Err(BackplaneError::OtherBody(reserved)));
    let full = PartitionBounds { bytes: 500, ..bounds };
    let other = IdempotencyKey::new("ann", "other", b"a").unwrap();
    assert_eq!(store.partition.reserve_key(&other, reserved, &full).await, Err(BackplaneError::NoRoom(300)));
}

#[tokio::test]
async fn an_id_that_was_reserved_is_accepted_once() {
    let store = TestPartition::start().await;
    store.register(0, 1, None).await;
    let (draft, bounds) = (draft(""), bounds());
    let accept = async || store.partition.accept_one(&ask(&draft, &bounds), &terminals(&[0])).await.unwrap();
    assert!(matches!(accept().await, PartitionAccepted::New { .. }));
    assert_eq!(accept().await, PartitionAccepted::Before(draft.frame.id));
    assert_eq!(store.backlog(0).await.len(), 1);
}
