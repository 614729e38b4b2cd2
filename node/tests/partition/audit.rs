//! The audit as a partition stores it.

use muster_node::backplane::{AuditBatch, QueuedRecord};
use muster_protocol::api::AuditRecord;

use crate::store::TestPartition;

/// Records with these ids. Those that begin with `s` are strangers'.
fn batch(number: u64, ids: &[String], bytes: u64) -> AuditBatch {
    let queued = |id: &String| {
        let record = AuditRecord { request_id: id.clone(), ..AuditRecord::default() };
        QueuedRecord { record, is_strangers: id.starts_with('s') }
    };
    AuditBatch { process: "p".into(), number, records: ids.iter().map(queued).collect(), bytes }
}

fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}

/// All records, read portion by portion, and the number of portions.
async fn read(store: &TestPartition) -> (Vec<String>, usize) {
    let (mut found, mut before, mut portions) = (Vec::new(), None, 0);
    loop {
        let portion = store.partition.audit(before).await.unwrap();
        found.extend(portion.records.into_iter().map(|(_, record)| record.request_id));
        portions += 1;
        before = portion.next;
        if before.is_none() {
            return (found, portions);
        }
    }
}

#[tokio::test]
async fn a_batch_is_written_once_and_both_logs_are_read_in_one_order() {
    let store = TestPartition::start().await;
    assert_eq!(read(&store).await, (Vec::new(), 1));
    let mut written = Vec::new();
    for number in 1..=20 {
        let mixed: Vec<_> = (0..30).map(|of| format!("{}{number}.{of}", if of % 3 == 0 { "s" } else { "o" })).collect();
        store.partition.append_audit(&batch(number, &mixed, 64 << 20)).await.unwrap();
        store.partition.append_audit(&batch(number, &mixed, 64 << 20)).await.unwrap();
        written.extend(mixed);
    }
    written.reverse();
    let (found, portions) = read(&store).await;
    assert_eq!(found, written);
    assert!(portions > 1, "{portions}");
}

#[tokio::test]
async fn each_log_is_bounded_by_bytes_and_strangers_push_out_no_record_of_operators() {
    let store = TestPartition::start().await;
    let bound = 256 << 10;
    store.partition.append_audit(&batch(1, &ids("o", 60), bound)).await.unwrap();
    for number in 2..=80 {
        store.partition.append_audit(&batch(number, &ids("s", 60), bound)).await.unwrap();
    }
    let (found, _) = read(&store).await;
    assert_eq!(found.iter().filter(|id| id.starts_with('o')).count(), 60);
    let size = async |key: &str| store.ask::<u64>("GET", key, &[]).await;
    assert!((1..=bound / 16).contains(&size("audit_strangers_size").await));
    for number in 81..=160 {
        store.partition.append_audit(&batch(number, &ids("o", 60), bound)).await.unwrap();
    }
    assert!((bound / 2..=bound).contains(&size("audit_size").await), "{}", size("audit_size").await);
    let (found, _) = read(&store).await;
    // What is counted is what is there.
    let bytes: u64 = found
        .iter()
        .filter(|id| id.starts_with('o'))
        .map(|id| {
            let record = AuditRecord { request_id: id.clone(), ..AuditRecord::default() };
            64 + serde_json::to_string(&record).unwrap().len() as u64
        })
        .sum();
    assert_eq!(bytes, size("audit_size").await);
}
