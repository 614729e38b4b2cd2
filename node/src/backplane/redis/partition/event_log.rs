//! The stream of a partition's events, as it is read, and what terminals report themselves, as it is written.

use muster_protocol::NodeId;
use redis::{RedisError, RedisResult, Value, from_redis_value, streams::StreamRangeReply};

use super::{StorePartition, events::events_of};
use crate::{
    backplane::{
        BackplaneError,
        redis::{events::EventPart, refusal::unavailable},
    },
    reports::ReportedEvent,
};

/// The most events of one call.
const EVENTS_MAX: usize = 100;
/// The bytes of events at which a call gets no more.
const BYTES_MAX: usize = 256 << 10;

impl StorePartition {
    /// Events from this millisecond on, of `limit` entries at most, unless all of these are of one millisecond.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn events_from(&self, ms: u64, limit: usize) -> Result<EventPart, BackplaneError> {
        let mut limit = limit;
        loop {
            let (now, found, gap) = self.read_events(ms, limit).await.map_err(unavailable)?;
            let times: Vec<_> = found.ids.iter().map(|entry| time_of(&entry.id)).collect();
            let is_whole = found.ids.len() < limit;
            // Of the last millisecond there may be more. A millisecond that has more than the limit is read whole.
            let complete_before = if is_whole { now } else { times.last().copied().unwrap_or(now) };
            if !is_whole && times.first() == times.last() {
                limit *= 4;
                continue;
            }
            let entries = found.ids.iter().zip(times);
            let events = entries.flat_map(|(entry, ms)| events_of(entry).into_iter().map(move |event| (ms, event)));
            return Ok(EventPart { events: events.collect(), complete_before, gap, more: !is_whole });
        }
    }

    /// Reads the time before the events, so that every event before that time is among those found.
    async fn read_events(&self, ms: u64, limit: usize) -> RedisResult<(u64, StreamRangeReply, bool)> {
        let key = self.keys.key("events");
        let mut pipe = redis::pipe();
        pipe.cmd("TIME").xrange_count(&key, format!("{ms}-0"), "+", limit);
        pipe.xrange_count(&key, "-", "+", 1).xlen(&key);
        type Answer = ((u64, u64), StreamRangeReply, StreamRangeReply, u64);
        let ((seconds, micros), found, oldest, length): Answer = pipe.query_async(&mut self.connection.clone()).await?;
        let is_later = oldest.ids.first().is_some_and(|entry| time_of(&entry.id) > ms);
        let gap = ms > 0 && is_later && self.events_were_added().await? > length;
        Ok((seconds * 1000 + micros / 1000, found, gap))
    }

    /// Returns how many events were ever added to the stream. If the stream has fewer, the oldest were trimmed.
    async fn events_were_added(&self) -> RedisResult<u64> {
        let mut info = redis::cmd("XINFO");
        info.arg("STREAM").arg(self.keys.key("events"));
        let fields: Vec<Value> = info.query_async(&mut self.connection.clone()).await?;
        let name = |value: &Value| from_redis_value::<String>(value.clone()).ok();
        let at = fields.chunks(2).find(|field| name(&field[0]).as_deref() == Some("entries-added"));
        at.and_then(|field| from_redis_value(field.get(1)?.clone()).ok()).ok_or_else(unexpected)
    }

    /// Notes that a node is to be told of the next event. Its inbox is told once.
    ///
    /// # Errors
    /// If Redis does not answer or refuses the call. The node may be noted.
    pub async fn note_for_events(&self, node: &NodeId) -> RedisResult<()> {
        let mut call = self.scripts.note_for_events(&self.keys);
        call.arg(node.as_str()).invoke_async(&mut self.connection.clone()).await
    }

    /// Writes what terminals reported themselves, in calls of at most 100 events and about 256 KiB. Returns how many
    /// Redis refused for good.
    ///
    /// # Errors
    /// If Redis does not answer. Events before may have been written.
    pub async fn write_events(&self, events: &[ReportedEvent]) -> RedisResult<()> {
        let mut left = events.iter();
        while !left.as_slice().is_empty() {
            let (mut call, mut bytes) = (self.scripts.happened(&self.keys), 0);
            for event in left.by_ref().take(EVENTS_MAX) {
                let rest = event.rest();
                bytes += rest.len();
                call.arg(event.kind).arg(event.terminal.as_str()).arg(rest);
                if bytes >= BYTES_MAX {
                    break;
                }
            }
            let () = call.invoke_async(&mut self.connection.clone()).await?;
        }
        Ok(())
    }
}

/// Returns the millisecond in an entry's id.
fn time_of(id: &str) -> u64 {
    id.split('-').next().and_then(|ms| ms.parse().ok()).unwrap_or(0)
}

fn unexpected() -> RedisError {
    RedisError::from((redis::ErrorKind::Parse, "XINFO STREAM does not tell entries-added"))
}
