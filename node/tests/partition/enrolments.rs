//! Enrolments as a partition stores them.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use muster_node::backplane::{BackplaneError, EnrolOutcome};
use muster_protocol::api::{Enrolment, EnrolmentState};

use crate::store::TestPartition;

/// As many as are stored.
const MAX: u64 = 10_000;

fn enrolment(id: &str, lives: Duration) -> Enrolment {
    let created_at = Timestamp::now();
    Enrolment {
        id: id.into(),
        state: EnrolmentState::Open,
        terminal: None,
        address: None,
        labels: Default::default(),
        valid_s: 100,
        renew_s: None,
        approve: false,
        by: "op".into(),
        created_at,
        expires_at: created_at + lives,
    }
}

#[tokio::test]
async fn of_many_who_use_a_code_at_once_one_gets_it() {
    let store = TestPartition::start().await;
    let partition = &store.partition;
    partition.add_enrolment(&enrolment("e", Duration::from_secs(60)), Timestamp::now()).await.unwrap();
    let ids: Vec<_> = (0..20).map(|number| format!("t{number}").parse().unwrap()).collect();
    let all = join_all(ids.iter().map(|id| partition.enrol("e", Some(id), "10.0.0.1"))).await;
    let taken = all.iter().filter(|outcome| matches!(outcome, Ok(EnrolOutcome::Taken(..)))).count();
    let unknown = all.iter().filter(|outcome| matches!(outcome, Ok(EnrolOutcome::Unknown))).count();
    assert_eq!((taken, unknown), (1, 19), "{all:?}");
    assert_eq!(store.ask::<u64>("ZCARD", "enrolments", &[]).await, 0);
}

#[tokio::test]
async fn so_many_are_stored_and_those_that_have_ended_make_room() {
    let store = TestPartition::start().await;
    let partition = &store.partition;
    let later = (Timestamp::now() + Duration::from_secs(3600)).as_millisecond();
    let mut pipe = redis::pipe();
    pipe.zadd(store.keys.key("enrolments"), "over", 1).ignore();
    for number in 1..MAX {
        pipe.zadd(store.keys.key("enrolments"), number, later).ignore();
    }
    store.run(&pipe).await;
    let add = async |id: &str| partition.add_enrolment(&enrolment(id, Duration::from_secs(60)), Timestamp::now()).await;
    assert_eq!(add("one").await, Ok(()));
    assert_eq!(add("two").await, Err(BackplaneError::TooManyEnrolments(MAX)));
    let lives: i64 = store.ask("PTTL", "enrolment:one", &[]).await;
    assert!((50_000..=60_000).contains(&lives), "{lives}");
    let page = partition.enrolments(0, 100).await.unwrap();
    assert_eq!((page.found.len(), page.next), (1, Some(100)));
}
