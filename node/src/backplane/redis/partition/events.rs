//! Events as a partition's stream has them (`scripts/lib/events.lua` writes them), and as those who follow them read
//! them.

use jiff::Timestamp;
use redis::streams::StreamId;

use crate::backplane::EventView;

/// Returns the events of an entry: one, or one for each of many terminals that had it together. Each has the entry's id
/// as its cursor. Empty if the entry has no event that can be read.
pub fn events_of(entry: &StreamId) -> Vec<EventView> {
    let (Some(kind), Some(data)) = (entry.get::<String>("kind"), entry.get::<String>("data")) else {
        return Vec::new();
    };
    let event = |data| EventView { cursor: entry.id.clone(), kind: kind.clone(), data };
    let Some(terminals) = terminals_of(entry) else { return vec![event(data)] };
    let at = time_of(&entry.id);
    // Ids of terminals need no escape in JSON.
    let whole = |terminal: String| format!(r#"{{"terminal":"{terminal}","at":"{at}",{data}}}"#);
    terminals.into_iter().map(|terminal| event(whole(terminal))).collect()
}

/// Returns the terminals to whose data the reader adds them and the time; none of an event that has its data whole.
fn terminals_of(entry: &StreamId) -> Option<Vec<String>> {
    match entry.get::<String>("terminal") {
        Some(terminal) => Some(vec![terminal]),
        None => serde_json::from_str(&entry.get::<String>("terminals")?).ok(),
    }
}

/// Returns when an entry was written, by its Redis' clock.
fn time_of(id: &str) -> Timestamp {
    let ms = id.split('-').next().and_then(|ms| ms.parse().ok());
    ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fields: &[(&str, &str)]) -> StreamId {
        let map =
            fields.iter().map(|(name, value)| ((*name).into(), redis::Value::BulkString(value.as_bytes().into())));
        StreamId { id: "1500-3".into(), map: map.collect(), ..StreamId::default() }
    }

    fn data(fields: &[(&str, &str)]) -> Vec<String> {
        events_of(&entry(fields)).into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn an_entry_is_one_event_or_one_for_each_of_its_terminals() {
        assert_eq!(data(&[("kind", "k"), ("data", "{}")]), ["{}"]);
        let rest = ("data", r#""reason":"left""#);
        let of = |id: &str| format!(r#"{{"terminal":"{id}","at":"1970-01-01T00:00:01.5Z","reason":"left"}}"#);
        assert_eq!(data(&[("kind", "k"), rest, ("terminal", "t1")]), [of("t1")]);
        assert_eq!(data(&[("kind", "k"), rest, ("terminals", r#"["t1","t2"]"#)]), [of("t1"), of("t2")]);
        assert!(data(&[("kind", "k")]).is_empty());
    }
}
