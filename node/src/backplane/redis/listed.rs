//! Commands of all homes in one list, newest first.

use futures_util::future::join_all;
use muster_protocol::{CommandId, TerminalId, partition::PartitionIndex};

use super::{RedisBackplane, answers::PartitionAnswers, member::PartitionMember, partition::ListedCommand};
use crate::backplane::{
    BackplaneError,
    command_query::{CommandPlace, CommandQuery, FoundCommands},
};

/// The most commands of a page.
const PAGE: usize = 100;
/// The looks at single commands that a page may cost: each command of it is looked at in every partition.
const LOOKS: usize = 4096;
/// The most bytes of requests on a page. A request that names 10,000 terminals has up to 256 KiB.
const REQUESTS_MAX: usize = 1 << 20;

impl RedisBackplane {
    /// Returns a page of the commands of all partitions.
    pub(super) async fn listed_commands(&self, query: &CommandQuery) -> Result<FoundCommands, BackplaneError> {
        let limit = query.limit.min(PAGE).min((LOOKS / self.members.len()).max(10));
        let pages =
            self.ask_all(|member| async move { member.store.commands(&query.filter, query.after, limit).await });
        let PartitionAnswers { found, mut partial } = pages.await?;
        let pages = found.into_iter().map(|(_, page)| (page.commands, page.next)).collect();
        let (listed, next) = merged(pages, limit);
        let mut ids: Vec<_> = listed.into_iter().map(|listed| listed.place.id).collect();
        if let Some(terminal) = &query.filter.terminal {
            let lies = self.member_of(terminal);
            let of_terminal = lies.ask(of_terminal(lies, terminal, ids)).await;
            ids = present(lies.index(), of_terminal, &mut partial)?.unwrap_or_default();
        }
        let records = join_all(ids.into_iter().map(|id| async move { (id, self.brief_command(id).await) })).await;
        let records = records.into_iter().map(|(id, record)| present(self.partitions.home(id), record, &mut partial));
        let records: Vec<_> = records.collect::<Result<_, BackplaneError>>()?;
        let now = self.clock.now();
        let is_wanted = |state| query.filter.state.is_none_or(|wanted| wanted == state);
        // A command may have been done since its home was asked.
        let commands =
            records.into_iter().flatten().flatten().filter(|record| is_wanted(record.view(now).state)).collect();
        partial.sort_unstable();
        Ok(FoundCommands { commands, next, partial })
    }
}

/// Returns those of these commands that have the terminal as a target.
async fn of_terminal(
    member: &PartitionMember,
    terminal: &TerminalId,
    ids: Vec<CommandId>,
) -> Result<Vec<CommandId>, BackplaneError> {
    let is_target = member.store.is_target(terminal, &ids).await?;
    Ok(ids.into_iter().zip(is_target).filter(|(_, is_target)| *is_target).map(|(id, _)| id).collect())
}

/// Returns the answer. If the partition is away, returns none and adds the partition to those that are away.
fn present<T>(
    partition: PartitionIndex,
    answer: Result<T, BackplaneError>,
    partial: &mut Vec<PartitionIndex>,
) -> Result<Option<T>, BackplaneError> {
    match answer.map_err(|error| error.in_partition(partition)) {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_away() => {
            if !partial.contains(&partition) {
                partial.push(partition);
            }
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Returns one page of the pages of all homes. Before the place up to which every home was looked at, nothing is shown
/// yet.
fn merged(
    pages: Vec<(Vec<ListedCommand>, Option<CommandPlace>)>,
    limit: usize,
) -> (Vec<ListedCommand>, Option<CommandPlace>) {
    let horizon = pages.iter().filter_map(|(_, next)| *next).max();
    let mut listed: Vec<_> = pages.into_iter().flat_map(|(listed, _)| listed).collect();
    listed.sort_unstable_by_key(|one| std::cmp::Reverse(one.place));
    listed.retain(|one| horizon.is_none_or(|horizon| one.place >= horizon));
    let mut bytes = 0;
    let fits = |one: &ListedCommand| {
        let is_first = bytes == 0;
        bytes += one.bytes.max(1);
        is_first || bytes <= REQUESTS_MAX
    };
    let count = listed.iter().take(limit).map(fits).take_while(|fits| *fits).count();
    if count < listed.len() {
        listed.truncate(count);
        let next = listed.last().map(|last| last.place);
        return (listed, next);
    }
    (listed, horizon)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u64) -> CommandPlace {
        CommandPlace { number, id: CommandId(uuid::Uuid::from_u128(number.into())) }
    }

    fn page(numbers: &[u64], next: Option<u64>) -> (Vec<ListedCommand>, Option<CommandPlace>) {
        let listed = numbers.iter().map(|number| ListedCommand { place: place(*number), bytes: 200_000 });
        (listed.collect(), next.map(place))
    }

    fn shown(pages: &[(&[u64], Option<u64>)], limit: usize) -> (Vec<u64>, Option<u64>) {
        let (listed, next) = merged(pages.iter().map(|(numbers, next)| page(numbers, *next)).collect(), limit);
        (listed.iter().map(|one| one.place.number).collect(), next.map(|next| next.number))
    }

    #[test]
    fn a_page_shows_nothing_older_than_what_every_home_was_looked_at() {
        let whole: (&[u64], _) = (&[9, 5, 1], None);
        assert_eq!(shown(&[whole, (&[7, 6], Some(6))], 9), (vec![9, 7, 6], Some(6)));
        assert_eq!(shown(&[whole, (&[7], None)], 9), (vec![9, 7, 5, 1], None));
        assert_eq!(shown(&[whole, (&[7], None)], 2), (vec![9, 7], Some(7)));
        assert_eq!(shown(&[whole, (&[], Some(8))], 9), (vec![9], Some(8)), "a page may be short");
        assert_eq!(shown(&[whole, (&[], Some(10))], 9), (vec![], Some(10)), "or empty");
    }

    #[test]
    fn a_page_has_a_bounded_number_of_bytes_and_at_least_one_command() {
        assert_eq!(shown(&[(&[9, 8, 7, 6, 5, 4, 3], None)], 9), (vec![9, 8, 7, 6, 5], Some(5)));
        let large = ListedCommand { place: place(2), bytes: REQUESTS_MAX * 2 };
        let (listed, next) = merged(vec![(vec![large, ListedCommand { place: place(1), bytes: 1 }], None)], 9);
        assert_eq!((listed, next), (vec![large], Some(place(2))));
    }
}
