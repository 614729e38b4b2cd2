//! The targets of a command in all partitions, in pages: partition after partition, and in each in the order of
//! ordinals.

use muster_protocol::{CommandId, Payload, api::TargetState, partition::PartitionIndex};

use super::{RedisBackplane, partition::PartitionTargets};
use crate::backplane::{BackplaneError, FoundTarget, FoundTargets, TargetQuery, TargetRecord};

/// The most calls for one page. A page that would need more is cut short.
const CALLS: usize = 32;
/// The bytes of replies after which a page is cut short. The last call may exceed them.
const REPLIES_MAX: usize = 1 << 20;

/// Where a page begins: in a partition, behind a place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TargetPlace {
    partition: PartitionIndex,
    after: Option<u64>,
}

impl TargetPlace {
    fn read(text: &str) -> Result<Self, BackplaneError> {
        let (partition, after) = text.split_once('.').ok_or(BackplaneError::NoPage)?;
        let partition = PartitionIndex(partition.parse().map_err(|_| BackplaneError::NoPage)?);
        let after = if after.is_empty() { None } else { Some(after.parse().map_err(|_| BackplaneError::NoPage)?) };
        Ok(Self { partition, after })
    }

    fn written(self) -> String {
        format!("{}.{}", self.partition.0, self.after.map(|after| after.to_string()).unwrap_or_default())
    }
}

impl RedisBackplane {
    /// Returns a page of a command's targets.
    pub(super) async fn merged_targets(
        &self,
        id: CommandId,
        query: &TargetQuery,
    ) -> Result<FoundTargets, BackplaneError> {
        let begin = query.after.as_deref().map(TargetPlace::read).transpose()?;
        let Some((command, members)) = self.at_home(id, true).await? else { return Ok(FoundTargets::default()) };
        // Names also partitions whose targets another page would have shown.
        let away = members.iter().filter(|member| member.check().is_err()).map(|member| member.index()).collect();
        let first = begin.map_or(PartitionIndex(0), |begin| begin.partition);
        let mut members: Vec<_> = members.into_iter().filter(|member| member.index() >= first).collect();
        members.sort_unstable_by_key(|member| member.index());
        let (mut page, mut bytes, mut calls) = (FoundTargets { partial: away, ..Default::default() }, 0, 0);
        for member in members {
            let partition = member.index();
            if page.partial.contains(&partition) {
                continue;
            }
            let mut after = begin.filter(|begin| begin.partition == partition).and_then(|begin| begin.after);
            loop {
                if page.targets.len() >= query.limit || bytes > REPLIES_MAX || calls == CALLS {
                    page.next = Some(TargetPlace { partition, after }.written());
                    return Ok(page);
                }
                let limit = query.limit - page.targets.len();
                let part = member.ask(member.store.targets(id, query.states.as_deref(), after, limit)).await;
                let part = match part.map_err(|error| error.in_partition(partition)) {
                    Err(error) if error.is_away() => {
                        page.partial.push(partition);
                        break;
                    }
                    answer => answer?,
                };
                let Some(part) = part else {
                    // Before a command is accepted, some partitions have no share of it yet.
                    if command.is_accepted {
                        page.lost.push(partition);
                    }
                    break;
                };
                (after, calls) = (part.next, calls + 1);
                bytes += part.targets.iter().map(|target| target.reply.as_json().len()).sum::<usize>();
                page.targets.extend(stored(part));
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(page)
    }
}

/// Returns the targets of a partition, and after them the targets that the partition rejected.
fn stored(part: PartitionTargets) -> impl Iterator<Item = FoundTarget> {
    let targets = part.targets.into_iter().map(|target| FoundTarget {
        terminal: target.terminal,
        record: target.record,
        reply: Some(target.reply),
    });
    let rejected = part.rejected.into_iter().map(|(terminal, reason)| FoundTarget {
        terminal,
        record: TargetRecord { state: TargetState::Rejected, steps: [None; 4] },
        reply: Some(Payload::from_value(&serde_json::json!({ "reason": reason }))),
    });
    targets.chain(rejected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for after in [None, Some(0), Some(1 << 33)] {
            let place = TargetPlace { partition: PartitionIndex(3), after };
            assert_eq!(TargetPlace::read(&place.written()), Ok(place));
        }
        for bad in ["", "3", "x.1", "3.x", "70000.1", "t1"] {
            assert_eq!(TargetPlace::read(bad), Err(BackplaneError::NoPage), "{bad}");
        }
    }
}
