//! Events over all partitions, in the order of time. Each partition has a stream; one token says how far all of them were read.

use std::str::FromStr;

use async_trait::async_trait;

use super::PartitionedBackplane;
use crate::backplane::{BackplaneError, EventPage, EventStore, EventView};

/// The most events of a page, beyond those of its last millisecond.
const PAGE: usize = 100;

/// A place in the order of all events: the millisecond of an event, and how many of that millisecond were given out. It is an event's
/// id, `MS-COUNT`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventToken {
    /// Milliseconds since 1970, by the clock of Redis.
    pub ms: u64,
    /// How many events of this millisecond were given out.
    pub count: u64,
}

/// What was read of one partition's events.
#[derive(Debug, Clone, Default)]
pub struct EventPart {
    /// Events with their milliseconds, in order, from the token's millisecond on.
    pub events: Vec<(u64, EventView)>,
    /// All events before this millisecond are among them.
    pub complete_before: u64,
    /// Whether events after the token are not stored any more.
    pub gap: bool,
}

impl FromStr for EventToken {
    type Err = BackplaneError;

    fn from_str(text: &str) -> Result<Self, BackplaneError> {
        let (ms, count) = text.split_once('-').ok_or(BackplaneError::NoCursor)?;
        let number = |text: &str| text.parse().map_err(|_| BackplaneError::NoCursor);
        Ok(Self { ms: number(ms)?, count: number(count)? })
    }
}

impl std::fmt::Display for EventToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.count)
    }
}

#[async_trait]
impl EventStore for PartitionedBackplane {
    async fn events(&self, after: Option<&str>) -> Result<EventPage, BackplaneError> {
        let Some(after) = after else {
            let times = self.of_all(|member| async move { member.store.clock().await }).await?;
            let ms = times.iter().map(|time| time.as_millisecond().unsigned_abs()).min().unwrap_or(0);
            return Ok(EventPage { newest: EventToken { ms, count: 0 }.to_string(), ..EventPage::default() });
        };
        let after: EventToken = after.parse()?;
        let limit = PAGE + after.count as usize;
        let parts = self.of_all(|member| async move { member.store.events_from(after.ms, limit).await }).await?;
        Ok(merged(after, parts))
    }
}

/// The events after the token that every partition was read up to, oldest first. Those of one millisecond come in the order of the
/// partitions, which is the same each time, so that a count tells how many of them were given out.
fn merged(after: EventToken, parts: Vec<EventPart>) -> EventPage {
    let horizon = parts.iter().map(|part| part.complete_before).min().unwrap_or(0);
    let gap = parts.iter().any(|part| part.gap);
    let mut all: Vec<_> = parts.into_iter().flat_map(|part| part.events).filter(|(ms, _)| *ms < horizon).collect();
    all.sort_by_key(|(ms, _)| *ms);
    let (mut token, mut place, mut events) = (after, EventToken::default(), Vec::new());
    for (ms, event) in all {
        place = if ms == place.ms { EventToken { ms, count: place.count + 1 } } else { EventToken { ms, count: 1 } };
        if place > after {
            token = place;
            events.push(EventView { cursor: place.to_string(), ..event });
        }
    }
    EventPage { events, newest: token.to_string(), gap }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(events: &[(u64, &str)], complete_before: u64) -> EventPart {
        let view = |kind: &str| EventView { cursor: String::new(), kind: kind.into(), data: String::new() };
        let events = events.iter().map(|(ms, kind)| (*ms, view(kind))).collect();
        EventPart { events, complete_before, gap: false }
    }

    fn given(after: &str, parts: Vec<EventPart>) -> (Vec<String>, String) {
        let page = merged(after.parse().unwrap(), parts);
        (page.events.iter().map(|event| format!("{} {}", event.cursor, event.kind)).collect(), page.newest)
    }

    #[test]
    fn events_come_in_the_order_of_time_up_to_what_every_partition_was_read() {
        let parts = || vec![part(&[(5, "a"), (7, "c"), (9, "e")], 20), part(&[(5, "b"), (8, "d")], 9)];
        assert_eq!(
            given("0-0", parts()),
            (vec!["5-1 a".into(), "5-2 b".into(), "7-1 c".into(), "8-1 d".into()], "8-1".into())
        );
    }

    #[test]
    fn who_resumes_within_a_millisecond_gets_the_rest_of_it() {
        let parts = || vec![part(&[(5, "a"), (5, "b")], 9), part(&[(5, "c"), (6, "d")], 9)];
        assert_eq!(given("5-1", parts()).0, ["5-2 b", "5-3 c", "6-1 d"]);
        assert_eq!(given("6-1", parts()), (vec![], "6-1".into()));
    }

    #[test]
    fn a_token_is_only_what_was_given_out() {
        assert!(["", "7", "x-1", "1-", "1-2-3"].iter().all(|text| text.parse::<EventToken>().is_err()));
    }
}
