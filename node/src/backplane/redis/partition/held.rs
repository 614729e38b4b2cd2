//! What a node holds, compared with what the registry says that it holds; and the sessions of nodes that are dead.

use data_encoding::HEXLOWER;
use muster_protocol::{NodeId, SessionId, TerminalId};
use redis::RedisResult;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::{
    StorePartition,
    bitmap::{bitmap, ordinals},
};
use crate::end::SessionEnd;

/// How the registry differs from what a node holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldDifference {
    /// Ordinals of terminals whose sessions the node holds and the registry does not have: they are to join again.
    pub lacking: Vec<u32>,
    /// Sessions that the registry has on this node and the node does not hold, at most 512. A session that joins or
    /// leaves at this moment may be among them.
    pub extra: Vec<(TerminalId, SessionId)>,
}

impl StorePartition {
    /// Compares the ordinals of a node's sessions with the registry. None if they are the same, which costs one short
    /// call.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn compare(&self, node: &NodeId, held: &[u32]) -> RedisResult<Option<HeldDifference>> {
        let (bitmap, count, checksum) = held_sum(held);
        let mut call = self.scripts.compare(&self.keys);
        call.arg(node.as_str()).arg(count).arg(checksum);
        if call.invoke_async(&mut self.connection.clone()).await? {
            return Ok(None);
        }
        let mut call = self.scripts.differences(&self.keys);
        let answer: Vec<Vec<u8>> =
            call.arg(node.as_str()).arg(bitmap).invoke_async(&mut self.connection.clone()).await?;
        Ok(Some(difference(&answer)))
    }

    /// Takes a session out that its node does not hold, with `terminal.offline` and the reason `lost`, if it is still
    /// its terminal's. Returns whether it was. `number` is the number up to which the node has passed everything on.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn evict(
        &self,
        (terminal, session): &(TerminalId, SessionId),
        node: &NodeId,
        number: u64,
    ) -> RedisResult<bool> {
        self.take_out(terminal, *session, node, &SessionEnd::Lost.into(), number).await
    }

    /// Tells of the sessions of a node that was declared dead, 128 at most. Returns whether there are more.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn bury(&self, node: &NodeId) -> RedisResult<bool> {
        let mut call = self.scripts.bury(&self.keys);
        let (_, has_more): (u32, bool) = call.arg(node.as_str()).invoke_async(&mut self.connection.clone()).await?;
        Ok(has_more)
    }
}

/// Returns the bitmap of ordinals, their number, and the checksum of the bitmap as held.lua has it.
pub(super) fn held_sum(held: &[u32]) -> (Vec<u8>, u32, String) {
    let bitmap = bitmap(held.iter().copied());
    let checksum = HEXLOWER.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &bitmap).as_ref());
    let count = bitmap.iter().map(|byte| byte.count_ones()).sum();
    (bitmap, count, checksum)
}

/// Returns what `differences.lua` answers. A terminal or session that can't be read is left out.
fn difference(answer: &[Vec<u8>]) -> HeldDifference {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    let pairs = answer.get(1..).unwrap_or_default().chunks_exact(2);
    let extra = pairs.filter_map(|pair| Some((text(&pair[0]).parse().ok()?, text(&pair[1]).parse().ok()?)));
    let lacking = answer.first().map(|bitmap| ordinals(bitmap).collect()).unwrap_or_default();
    HeldDifference { lacking, extra: extra.collect() }
}
