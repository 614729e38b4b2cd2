//! Events over all partitions, in the order of time. Each partition has a stream; one [token](super::event_token) says
//! how far all of them were read.
//!
//! A partition that is away does not keep the events of others waiting. Its own come when it is back, and are then
//! older than those before them.

use async_trait::async_trait;
use futures_util::future::join_all;
use muster_protocol::partition::PartitionIndex;

use super::{
    RedisBackplane,
    answers::PartitionAnswers,
    event_token::{EventPlace, EventToken},
};
use crate::backplane::{BackplaneError, EventPage, EventStore, EventView, EventWatch};

/// The entries that are read of all partitions for a page, from 8 to 100 of each, beyond those of its last millisecond.
const PAGE: usize = 256;

/// What was read of one partition's events.
#[derive(Debug, Clone, Default)]
pub struct EventPart {
    /// Events with their milliseconds, in order, from the millisecond on that was asked for.
    pub events: Vec<(u64, EventView)>,
    /// All events before this millisecond are among them.
    pub complete_before: u64,
    /// Whether events from that millisecond on are not stored any more.
    pub gap: bool,
    /// Whether there are more events already.
    pub more: bool,
}

#[async_trait]
impl EventStore for RedisBackplane {
    async fn events(&self, after: Option<&str>) -> Result<EventPage, BackplaneError> {
        let Some(after) = after else {
            let times = self.ask_all(|member| async move { member.store.clock().await }).await?;
            let ms = times.found.iter().map(|(_, time)| time.as_millisecond().unsigned_abs()).min().unwrap_or(0);
            let mut token = EventToken::at(ms);
            token.leave_behind(&times.partial);
            return Ok(EventPage { newest: token.to_string(), partial: times.partial, ..EventPage::default() });
        };
        let token: EventToken = after.parse()?;
        if token.behind.keys().any(|index| index.0 >= self.partitions.count()) {
            return Err(BackplaneError::NoCursor);
        }
        let asked = self.members.iter().map(|member| {
            let place = token.place_of(member.index());
            let limit = (PAGE / self.members.len()).clamp(8, 100);
            let read = member.store.events_from(place.ms, limit + place.count as usize);
            async move { (member.index(), member.ask(read).await) }
        });
        let parts = PartitionAnswers::of(join_all(asked).await)?;
        Ok(merged(token, parts))
    }

    async fn watch_events(&self) -> EventWatch {
        self.note_for_events().await
    }
}

/// Returns the events after the token, as far as every partition was read that answered and is not behind; before them
/// those of partitions that are behind and answered.
fn merged(mut token: EventToken, parts: PartitionAnswers<EventPart>) -> EventPage {
    token.leave_behind(&parts.partial);
    let gap = parts.found.iter().any(|(_, part)| part.gap);
    let more = parts.found.iter().any(|(_, part)| part.more);
    // A partition that came back before any event of others was given out is behind no more.
    parts.found.iter().for_each(|(index, _)| token.set_behind(*index, token.place_of(*index)));
    let is_behind = |(index, _): &(PartitionIndex, EventPart)| token.behind.contains_key(index);
    let (behind, level): (Vec<_>, Vec<_>) = parts.found.into_iter().partition(is_behind);
    let mut events = Vec::new();
    for (index, part) in behind {
        let horizon = part.complete_before.min(token.place.ms);
        add_events(&mut events, &mut token, Some(index), part.events, horizon);
    }
    let mut pending = false;
    // While only partitions that are behind answer, the others' place stays.
    if let Some(horizon) = level.iter().map(|(_, part)| part.complete_before).min() {
        let mut all: Vec<_> = level.into_iter().flat_map(|(_, part)| part.events).collect();
        all.sort_by_key(|(ms, _)| *ms);
        pending = all.last().is_some_and(|(ms, _)| *ms >= horizon);
        add_events(&mut events, &mut token, None, all, horizon);
    }
    let behind = !token.behind.is_empty();
    EventPage { events, newest: token.to_string(), gap, partial: parts.partial, behind, more, pending }
}

/// Adds events that are in order, up to the horizon, and moves the token: for one partition that is behind, or for all
/// that are not. Events of one millisecond are always in the same order, that of the partitions, so a count tells how
/// many of them were given out. The last of a millisecond moves the token to the next millisecond.
fn add_events(
    events: &mut Vec<EventView>,
    token: &mut EventToken,
    behind: Option<PartitionIndex>,
    found: Vec<(u64, EventView)>,
    horizon: u64,
) {
    let start = behind.map_or(token.place, |index| token.place_of(index));
    let mut found = found.into_iter().filter(|(ms, _)| *ms < horizon).peekable();
    let mut counted = EventPlace::default();
    while let Some((ms, event)) = found.next() {
        counted = counted.next(ms);
        if counted <= start {
            continue;
        }
        let is_last = found.peek().is_none_or(|(next, _)| *next != ms);
        move_to(token, behind, if is_last { EventPlace::at(ms + 1) } else { counted });
        events.push(EventView { cursor: token.to_string(), ..event });
    }
    // Everything before the horizon was given out, also if there was nothing.
    if behind.is_some() && horizon > start.ms {
        move_to(token, behind, EventPlace::at(horizon));
    }
}

fn move_to(token: &mut EventToken, behind: Option<PartitionIndex>, place: EventPlace) {
    match behind {
        Some(index) => token.set_behind(index, place),
        None => token.place = place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(events: &[(u64, &str)], complete_before: u64) -> Option<EventPart> {
        let view = |kind: &str| EventView { cursor: String::new(), kind: kind.into(), data: String::new() };
        let events = events.iter().map(|(ms, kind)| (*ms, view(kind))).collect();
        Some(EventPart { events, complete_before, ..EventPart::default() })
    }

    fn page(after: &str, parts: Vec<Option<EventPart>>) -> EventPage {
        let answers = parts.into_iter().map(|part| part.ok_or(BackplaneError::Unavailable(String::new())));
        let answers = PartitionAnswers::of((0..).map(PartitionIndex).zip(answers)).unwrap();
        merged(after.parse().unwrap(), answers)
    }

    /// Returns the events that are given out, and the new token. A part that is none is away.
    fn given(after: &str, parts: Vec<Option<EventPart>>) -> (Vec<String>, String) {
        let page = page(after, parts);
        (page.events.iter().map(|event| format!("{} {}", event.cursor, event.kind)).collect(), page.newest)
    }

    #[test]
    fn events_come_in_the_order_of_time_up_to_what_every_partition_was_read() {
        let parts = || vec![part(&[(5, "a"), (7, "c"), (9, "e")], 20), part(&[(5, "b"), (8, "d")], 9)];
        assert_eq!(
            given("0-0", parts()),
            (vec!["5-1 a".into(), "6-0 b".into(), "8-0 c".into(), "9-0 d".into()], "9-0".into())
        );
    }

    #[test]
    fn events_that_wait_for_the_clock_of_another_partition_are_pending() {
        let pending = |one, other| page("0-0", vec![part(one, 10), part(other, 9)]).pending;
        assert!(pending(&[(9, "a")], &[]) && pending(&[(5, "a"), (12, "b")], &[(5, "c")]));
        assert!(!pending(&[(8, "a")], &[]) && !pending(&[], &[]));
    }

    #[test]
    fn who_resumes_within_a_millisecond_gets_the_rest_of_it() {
        let parts = || vec![part(&[(5, "a"), (5, "b")], 9), part(&[(5, "c"), (6, "d")], 9)];
        assert_eq!(given("5-1", parts()).0, ["5-2 b", "6-0 c", "7-0 d"]);
        assert_eq!(given("7-0", parts()), (vec![], "7-0".into()));
    }

    #[test]
    fn a_partition_that_is_away_keeps_no_other_waiting_and_its_events_come_later() {
        let level = || part(&[(5, "a"), (8, "d")], 9);
        let (events, token) = given("4-0", vec![level(), None]);
        assert_eq!(events, ["6-0~4-0:1 a", "9-0~4-0:1 d"]);
        let back = || part(&[(3, "x"), (4, "b"), (4, "c"), (7, "e"), (10, "f")], 12);
        let (events, newest) = given(&token, vec![part(&[(8, "d")], 12), back()]);
        assert_eq!(events, ["9-0~4-1:1 b", "9-0~5-0:1 c", "9-0~8-0:1 e"]);
        assert_eq!(newest, "9-0", "it is level");
        assert_eq!(given(&newest, vec![part(&[], 12), back()]).0, ["11-0 f"]);
        assert_eq!(given("9-0~4-1:1", vec![part(&[], 12), back()]).0[0], "9-0~5-0:1 c", "within its millisecond");
    }

    #[test]
    fn no_event_is_missed_if_a_partition_goes_away_within_a_millisecond() {
        let level = part(&[(5, "a"), (6, "d")], 9);
        let (events, token) = given("5-1", vec![None, level]);
        assert_eq!(events, ["6-0~5-0:0 a", "7-0~5-0:0 d"], "of that millisecond some come twice");
        assert_eq!(given(&token, vec![part(&[(5, "0")], 9), part(&[], 9)]).0, ["7-0~6-0:0 0"]);
    }
}
