//! What happened, as a bounded stream in Redis.

use async_trait::async_trait;
use redis::streams::{StreamId, StreamRangeReply};

use super::{RedisBackplane, keys, refusal::unavailable};
use crate::backplane::{BackplaneError, EventPage, EventStore, EventView};

/// Events read at once.
const PAGE: usize = 100;

#[async_trait]
impl EventStore for RedisBackplane {
    async fn events(&self, after: Option<&str>) -> Result<EventPage, BackplaneError> {
        let Some(after) = after else {
            return Ok(EventPage { newest: self.newest().await?, ..EventPage::default() });
        };
        let known = numbers(after).ok_or(BackplaneError::NoCursor)?;
        let mut pipe = redis::pipe();
        pipe.xrange_count(self.keys.key(keys::EVENTS), "-", "+", 1).xrange_count(
            self.keys.key(keys::EVENTS),
            format!("({after}"),
            "+",
            PAGE,
        );
        let (oldest, found): (StreamRangeReply, StreamRangeReply) =
            pipe.query_async(&mut self.reach()?).await.map_err(unavailable)?;
        let oldest = oldest.ids.first().and_then(|entry| numbers(&entry.id));
        let kept: Vec<_> = found.ids.iter().filter_map(event).collect();
        let newest = kept.last().map_or_else(|| after.to_owned(), |event| event.cursor.clone());
        let gap = known > (0, 0) && oldest.is_some_and(|oldest| known < oldest);
        Ok(EventPage { events: kept, newest, gap, partial: Vec::new() })
    }
}

impl RedisBackplane {
    async fn newest(&self) -> Result<String, BackplaneError> {
        let mut newest = redis::cmd("XREVRANGE");
        newest.arg(self.keys.key(keys::EVENTS)).arg("+").arg("-").arg("COUNT").arg(1);
        let newest: StreamRangeReply = newest.query_async(&mut self.reach()?).await.map_err(unavailable)?;
        Ok(newest.ids.first().map_or_else(|| "0-0".into(), |entry| entry.id.clone()))
    }
}

/// The two numbers of an entry's id.
fn numbers(id: &str) -> Option<(u64, u64)> {
    let (time, number) = id.split_once('-')?;
    Some((time.parse().ok()?, number.parse().ok()?))
}

fn event(entry: &StreamId) -> Option<EventView> {
    Some(EventView { cursor: entry.id.clone(), kind: entry.get("kind")?, data: entry.get("data")? })
}
