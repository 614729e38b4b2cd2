//! Notices as a partition stores them: who carries them on, and what is bounded.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use muster_node::backplane::{
    AwayScore, BackplaneError, NoticeChange, NoticeMessage, NoticeRecord, NoticeStep, NoticeTurn, TriedMessage,
};
use muster_protocol::{
    NoticeName,
    api::{AttemptResult, NoticeAttempt, NoticeKind, NoticeSecret},
};
use uuid::Uuid;

use crate::{fixtures::node, store::TestPartition};

/// As many as are set.
const MAX: usize = 32;
/// As many attempts as are kept of a notice.
const ATTEMPTS: usize = 50;

fn record(name: &str) -> NoticeRecord {
    NoticeRecord {
        name: name.parse().unwrap(),
        url: "https://hooks.example/".into(),
        on: BTreeSet::from([NoticeKind::NodeLost]),
        off_for: Duration::from_secs(600),
        expression: None,
        secret: NoticeSecret("0123456789abcdef".into()),
        by: "ann".into(),
        created_at: Timestamp::now(),
    }
}

fn message(bytes: usize) -> NoticeMessage {
    let body = "x".repeat(bytes);
    NoticeMessage { id: Uuid::now_v7(), kind: NoticeKind::NodeLost, body, queued_at: Timestamp::now(), attempts: 0 }
}

fn attempt(message: &NoticeMessage, number: u32) -> NoticeAttempt {
    NoticeAttempt {
        at: Timestamp::now(),
        message: message.id,
        kind: message.kind,
        attempt: number,
        result: AttemptResult::Failed,
        status: Some(500),
        error: None,
        took_ms: 1,
        next_at: None,
    }
}

impl TestPartition {
    /// Stores a notice that is to be new.
    async fn make(&self, record: &NoticeRecord) -> Result<bool, BackplaneError> {
        self.partition.put_notice(NoticeChange { record, before: None, cursor: "" }).await
    }

    /// What a node is to carry on, if it does.
    async fn carried(&self, by: &str) -> Option<NoticeTurn> {
        self.partition.carried_notices(&node(by)).await.unwrap().turn
    }

    /// Queues messages as a node that has read this. Returns how many found no room; `None` if nothing was taken.
    async fn queue(&self, by: &str, read: &NoticeTurn, messages: &[(NoticeName, NoticeMessage)]) -> Option<u64> {
        let step = NoticeStep {
            place: &read.place,
            revision: read.revision,
            off: &[],
            back: &[],
            forget_to: AwayScore::MAX,
            nodes: &[],
            messages,
        };
        self.partition.save_notices(&node(by), step).await.unwrap()
    }
}

#[tokio::test]
async fn one_node_carries_notices_on_and_another_one_goes_on_when_its_lease_ends() {
    let store = TestPartition::start().await;
    assert!(store.make(&record("ops")).await.unwrap());
    let read = store.carried("a").await.unwrap();
    assert!(store.carried("b").await.is_none());
    let lives: i64 = store.ask("PTTL", "notices_carrier", &[]).await;
    assert!((1..=5000).contains(&lives), "{lives}");
    let one = ("ops".parse().unwrap(), message(10));
    assert_eq!(store.queue("b", &read, std::slice::from_ref(&one)).await, None, "b does not carry them on");
    assert_eq!(store.queue("a", &read, std::slice::from_ref(&one)).await, Some(0));
    let _: u64 = store.ask("DEL", "notices_carrier", &[]).await;
    let later = store.carried("b").await.unwrap();
    assert_eq!((later.revision, later.notices[0].waiting), (read.revision + 1, 1));
    assert_eq!(store.queue("a", &later, std::slice::from_ref(&one)).await, None, "a has died");
    assert_eq!(store.queue("b", &read, std::slice::from_ref(&one)).await, None, "an older revision");
    assert_eq!(store.partition.due_messages(&one.0, 16).await.unwrap(), [one.1]);
}

#[tokio::test]
async fn a_notice_is_replaced_only_by_who_knows_its_secret() {
    let store = TestPartition::start().await;
    let put = async |secret: &str, before: Option<&str>| {
        let before = before.map(|before| NoticeSecret(before.into()));
        let record = NoticeRecord { secret: NoticeSecret(secret.into()), ..record("ops") };
        let change = NoticeChange { record: &record, before: before.as_ref(), cursor: "" };
        store.partition.put_notice(change).await.unwrap()
    };
    assert!(!put("a", Some("a")).await, "there is none");
    assert!(put("a", None).await && !put("b", None).await, "one of two has made it");
    assert!(put("c", Some("a")).await && !put("d", Some("a")).await, "it has another secret by now");
    assert_eq!(store.partition.notices().await.unwrap()[0].record.secret.0, "c");
}

#[tokio::test]
async fn what_waits_for_a_receiver_is_bounded_and_so_are_attempts_and_notices() {
    let store = TestPartition::start().await;
    for n in 0..MAX {
        assert!(store.make(&record(&format!("n{n:02}"))).await.unwrap());
    }
    let refused = store.make(&record("more")).await.unwrap_err();
    assert!(matches!(refused, BackplaneError::TooManyNotices(32)), "{refused}");
    let name: NoticeName = "n00".parse().unwrap();
    let read = store.carried("a").await.unwrap();
    let messages = [600, 600].map(|kib| (name.clone(), message(kib << 10)));
    assert_eq!(store.queue("a", &read, &messages).await, Some(1), "1 MiB waits for a receiver");
    let first = &messages[0].1;
    for number in 1..=60 {
        let attempt = attempt(first, number);
        let wait = (number < 60).then_some(Duration::from_secs(60));
        let tried = TriedMessage { notice: &name, message: first, wait, attempt: &attempt };
        store.partition.record_attempt(tried).await.unwrap();
        let stored = store.partition.notices().await.unwrap().remove(0);
        let waits = if number < 60 { (1, 600 << 10) } else { (0, 0) };
        assert_eq!((stored.waiting, stored.waiting_bytes, stored.lost), (waits.0, waits.1, 1));
        assert!(store.partition.due_messages(&name, 16).await.unwrap().is_empty(), "it waits for a minute");
    }
    let attempts = store.partition.notice_attempts(&name).await.unwrap();
    assert_eq!((attempts.len(), attempts[0].attempt), (ATTEMPTS, 60));
}
