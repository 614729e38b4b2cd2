//! What belongs to no terminal, and so lies in partition 0 of every store: revocations, codes for first tokens, the list of operators'
//! keys, saved selectors, and notices.

use anyhow::{Context, ensure};
use jiff::Timestamp;
use muster_protocol::api::{Enrolment, OperatorKey, Revocation, SavedSelector};

use super::{lines::BackupLine, reads::PatientReads, writer::BackupWriter};
use crate::backplane::{NoticeChange, NoticeRecord, redis::partition::StorePartition};

/// The enrolments, or keys, of one read.
const PAGE: u64 = 128;

/// Writes all of it into a file. What is made or ends meanwhile may be missing.
///
/// # Errors
/// If the partition does not answer for 30 s, or the file can't be written.
pub async fn export(store: &StorePartition, reads: &PatientReads, writer: &mut BackupWriter) -> anyhow::Result<()> {
    let set = reads.answer(store.index, || store.revocations("")).await?;
    for revocation in set.map_or_else(Vec::new, |set| set.all) {
        writer.write(&BackupLine::Revocation(Box::new(revocation)))?;
    }
    let mut after = Some(0);
    while let Some(from) = after {
        let page = reads.answer(store.index, || store.enrolments(from, PAGE)).await?;
        for enrolment in page.found {
            writer.write(&BackupLine::Enrolment(Box::new(enrolment)))?;
        }
        after = page.next;
    }
    let mut after = Some(0);
    while let Some(from) = after {
        let page = reads.answer(store.index, || store.operator_keys(from, PAGE)).await?;
        for key in page.found {
            writer.write(&BackupLine::OperatorKey(Box::new(key)))?;
        }
        after = page.next;
    }
    for selector in reads.answer(store.index, || store.saved_selectors(&[])).await? {
        writer.write(&BackupLine::SavedSelector(Box::new(selector)))?;
    }
    for notice in reads.answer(store.index, || store.notices()).await? {
        writer.write(&BackupLine::Notice(Box::new(notice.record)))?;
    }
    Ok(())
}

/// Stores a revocation. What has ended stays out.
pub async fn restore_revocation(store: &StorePartition, revocation: &Revocation, now: Timestamp) -> anyhow::Result<()> {
    if revocation.expires_at <= now {
        return Ok(());
    }
    store.revoke(revocation).await.with_context(|| format!("revocation {}", revocation.id))
}

/// Stores an enrolment, in the state that it had. One that has ended stays out.
pub async fn restore_enrolment(store: &StorePartition, enrolment: &Enrolment, now: Timestamp) -> anyhow::Result<()> {
    if enrolment.expires_at <= now {
        return Ok(());
    }
    store.add_enrolment(enrolment, now).await.with_context(|| format!("enrolment {}", enrolment.id))
}

/// Lists a key. One that has expired stays out.
pub async fn restore_key(store: &StorePartition, key: &OperatorKey, now: Timestamp) -> anyhow::Result<()> {
    if key.expires_at <= now {
        return Ok(());
    }
    store.add_key(key).await.with_context(|| format!("key {}", key.id))
}

/// Saves a selector.
pub async fn restore_selector(store: &StorePartition, selector: &SavedSelector) -> anyhow::Result<()> {
    store.save_selector(selector).await.with_context(|| format!("saved selector {}", selector.name))
}

/// Sets a notice. Its messages begin with what happens after the import.
pub async fn restore_notice(store: &StorePartition, record: &NoticeRecord) -> anyhow::Result<()> {
    let change = NoticeChange { record, before: None, cursor: "" };
    let same = NoticeChange { before: Some(&record.secret), ..change };
    let what = || format!("notice {}", record.name);
    // An import that is begun again finds what it has set.
    let is_set =
        store.put_notice(change).await.with_context(what)? || store.put_notice(same).await.with_context(what)?;
    ensure!(is_set, "notice {}: there is another one with this name", record.name);
    Ok(())
}
