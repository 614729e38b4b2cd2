//! Operators' keys as a partition lists them.

use std::time::Duration;

use jiff::Timestamp;
use muster_node::backplane::BackplaneError;
use muster_protocol::{
    api::OperatorKey,
    token::{KeyLimits, Scope},
};

use crate::store::TestPartition;

/// As many as are listed.
const MAX: u64 = 4096;

fn key(id: &str, lives: Duration) -> OperatorKey {
    let created_at = Timestamp::now();
    OperatorKey {
        id: id.into(),
        name: "ann".into(),
        scope: Scope::Read,
        limits: KeyLimits { commands: ["show".to_owned()].into(), ..KeyLimits::default() },
        kid: Some("k1".into()),
        by: Some("op".into()),
        origin: None,
        created_at: Some(created_at),
        expires_at: created_at + lives,
        last_used_at: None,
        revoked: false,
    }
}

fn used(key: &OperatorKey, second: i64) -> OperatorKey {
    OperatorKey { last_used_at: Timestamp::from_second(second).ok(), by: None, ..key.clone() }
}

#[tokio::test]
async fn a_key_keeps_what_was_said_when_it_was_made_and_its_latest_use() {
    let store = TestPartition::start().await;
    let partition = &store.partition;
    let (hour, day) = (key("hour", Duration::from_secs(3600)), key("day", Duration::from_secs(86_400)));
    partition.add_key(&day).await.unwrap();
    partition.record_key_uses(&[used(&day, 20), used(&hour, 7)]).await.unwrap();
    partition.record_key_uses(&[used(&day, 10)]).await.unwrap();
    let expected = OperatorKey { by: Some("op".into()), ..used(&day, 20) };
    assert_eq!(partition.operator_key("day").await, Ok(Some(expected.clone())));
    assert_eq!(partition.operator_key("none").await, Ok(None));
    let page = partition.operator_keys(0, 1).await.unwrap();
    assert_eq!((page.found, page.next), (vec![used(&hour, 7)], Some(1)));
    let page = partition.operator_keys(1, 2).await.unwrap();
    assert_eq!((page.found, page.next), (vec![expected], None));
}

#[tokio::test]
async fn so_many_are_listed_and_those_that_have_expired_make_room() {
    let store = TestPartition::start().await;
    let partition = &store.partition;
    partition.add_key(&key("over", Duration::ZERO)).await.unwrap();
    let mut pipe = redis::pipe();
    for number in 1..MAX {
        pipe.hset(store.keys.key("operator_keys"), number, "{}").ignore();
    }
    store.run(&pipe).await;
    store.let_pass(1).await;
    assert!(partition.operator_keys(0, 10).await.unwrap().found.is_empty());
    let day = Duration::from_secs(86_400);
    partition.add_key(&key("one", day)).await.unwrap();
    assert_eq!(partition.add_key(&key("two", day)).await, Err(BackplaneError::TooManyKeys(MAX)));
    partition.record_key_uses(&[used(&key("three", day), 7), used(&key("one", day), 7)]).await.unwrap();
    assert_eq!(partition.operator_key("three").await, Ok(None));
    assert_eq!(partition.operator_key("one").await.unwrap().unwrap().last_used_at, Timestamp::from_second(7).ok());
    assert_eq!(store.ask::<u64>("ZCARD", "operator_keys_due", &[]).await, 1);
}
