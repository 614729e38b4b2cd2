//! The terminals of a partition: one, and pages of them.

use muster_protocol::{TerminalId, api::TerminalView, selector::Labels};
use redis::RedisResult;

use super::{
    StorePartition,
    rows::{labelled, terminals},
    selection::SetExpression,
};
use crate::backplane::{BackplaneError, redis::refusal::unavailable};

/// The most terminals of a page.
pub const PAGE_MAX: usize = 500;

/// The most terminals whose labels one call asks for.
const LABELLED_MAX: usize = 64;

/// Which terminals a page shows.
#[derive(Debug, Clone, Default)]
pub struct PartitionQuery {
    /// Those of this set. All if `None`.
    pub set: Option<SetExpression>,
    /// Those whose ids begin with this.
    pub prefix: String,
    /// Those behind this id.
    pub after: Option<TerminalId>,
    /// So many at most, and [`PAGE_MAX`] at most.
    pub limit: usize,
}

/// A page of terminals, in ascending order of their ids.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionPage {
    /// The terminals. There may be fewer than were asked for, or none, though more follow.
    pub terminals: Vec<TerminalView>,
    /// The last id that was looked at: the next page begins behind it. None if there is no other page.
    pub next: Option<TerminalId>,
}

impl StorePartition {
    /// Returns a terminal, or `None` if it is not known.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn terminal(&self, id: &TerminalId) -> Result<Option<TerminalView>, BackplaneError> {
        let mut call = self.scripts.terminal(&self.keys);
        let row: RedisResult<Vec<Vec<u8>>> = call.arg(id.as_str()).invoke_async(&mut self.connection.clone()).await;
        Ok(terminals(&row.map_err(unavailable)?).pop())
    }

    /// Returns the labels of those of these terminals that are known. A call is about 64 of them at most.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn labels_of(&self, ids: &[TerminalId]) -> Result<Vec<(TerminalId, Labels)>, BackplaneError> {
        let mut found = Vec::new();
        for portion in ids.chunks(LABELLED_MAX) {
            let mut call = self.scripts.labels_of(&self.keys);
            portion.iter().for_each(|id| _ = call.arg(id.as_str()));
            let answer: RedisResult<Vec<Vec<u8>>> = call.invoke_async(&mut self.connection.clone()).await;
            let answer = answer.map_err(unavailable)?;
            // One that can't be read has no labels.
            found.extend(answer.chunks_exact(2).filter_map(|pair| labelled(&pair[0], &pair[1]).ok()));
        }
        Ok(found)
    }

    /// Returns a page of terminals. A call looks at 512 terminals at most.
    ///
    /// # Errors
    /// [`BackplaneError::LeftOut`] if the set is by a label that has too many values, [`BackplaneError::Broad`] if a
    /// range in it has too many entries, [`BackplaneError::Selector`] if the expression is too large,
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn page(&self, query: &PartitionQuery) -> Result<PartitionPage, BackplaneError> {
        let set = query.set.as_ref().map(SetExpression::to_postfix).transpose()?.unwrap_or_default();
        let mut call = self.scripts.page(&self.keys);
        call.arg(set).arg(&query.prefix).arg(query.after.as_ref().map_or("", TerminalId::as_str));
        call.arg(query.limit.clamp(1, PAGE_MAX));
        let answer: RedisResult<Vec<Vec<u8>>> = call.invoke_async(&mut self.connection.clone()).await;
        let answer = answer.map_err(unavailable)?;
        let text = |at: usize| String::from_utf8_lossy(answer.get(at).map_or(&[], Vec::as_slice)).into_owned();
        match text(0).as_str() {
            "left_out" => return Err(BackplaneError::LeftOut(text(1))),
            "broad" => return Err(BackplaneError::Broad(text(1))),
            _ => {}
        }
        let rows = answer.get(2..).unwrap_or_default();
        Ok(PartitionPage { terminals: terminals(rows), next: text(1).parse().ok() })
    }
}
