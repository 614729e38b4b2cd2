//! Revocations as a partition stores them.

use std::time::Duration;

use jiff::Timestamp;
use muster_node::backplane::BackplaneError;
use muster_protocol::api::{Revocation, RevokedTokens};
use uuid::Uuid;

use crate::store::TestPartition;

/// As many as are stored.
const MAX: u64 = 4096;

fn revocation(kid: &str, expires_in: Duration) -> Revocation {
    let created_at = Timestamp::now();
    let tokens = RevokedTokens { kid: Some(kid.into()), ..RevokedTokens::default() };
    Revocation { id: Uuid::now_v7(), tokens, by: "op".into(), created_at, expires_at: created_at + expires_in }
}

#[tokio::test]
async fn they_are_read_when_they_have_changed_and_what_can_t_be_read_is_left_out() {
    let store = TestPartition::start().await;
    let partition = &store.partition;
    assert_eq!(partition.revocations("").await, Ok(None));
    let day = Duration::from_secs(86_400);
    let [one, two] = ["k1", "k2"].map(|kid| revocation(kid, day));
    partition.revoke(&one).await.unwrap();
    let first = partition.revocations("").await.unwrap().unwrap();
    assert_eq!((first.all, partition.revocations(&first.revision).await), (vec![one.clone()], Ok(None)));
    partition.revoke(&two).await.unwrap();
    assert_eq!(partition.take_back(one.id).await, Ok(true));
    assert_eq!(partition.take_back(one.id).await, Ok(false));
    let () = store.ask("HSET", "revocations", &["x", "of a newer version"]).await;
    let last = partition.revocations(&first.revision).await.unwrap().unwrap();
    assert!(last.revision != first.revision && last.all == [two], "{last:?}");
}

#[tokio::test]
async fn so_many_are_stored_and_those_that_have_ended_make_room() {
    let store = TestPartition::start().await;
    let day = Duration::from_secs(86_400);
    let over = revocation("k0", Duration::ZERO);
    store.partition.revoke(&over).await.unwrap();
    let mut pipe = redis::pipe();
    for number in 1..MAX {
        pipe.hset(store.keys.key("revocations"), number, "{}").ignore();
    }
    store.run(&pipe).await;
    store.partition.revoke(&revocation("k1", day)).await.unwrap();
    let refused = store.partition.revoke(&revocation("k2", day)).await;
    assert_eq!(refused, Err(BackplaneError::TooManyRevocations(MAX)));
    let (stored, due): (u64, u64) =
        (store.ask("HLEN", "revocations", &[]).await, store.ask("ZCARD", "revocations_due", &[]).await);
    assert_eq!((stored, due), (MAX, 1));
}
