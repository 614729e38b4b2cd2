//! Paths and queries of requests.

use super::{events::filter::EventFilter, list, path::segments, terminals};

/// The path of a request.
pub(crate) fn path(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(read) = segments(text) else { return };
    assert_eq!(read.len(), text.matches('/').count());
    assert!(read.iter().all(|segment| !segment.contains(|char: char| char == '/' || char.is_control())), "{read:?}");
    let escaped = |segment: &String| segment.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let written: String = read.iter().map(|segment| format!("/{}", escaped(segment))).collect();
    assert_eq!(segments(&written).ok(), Some(read));
}

/// The query of a request: for terminals, for commands and for events.
pub(crate) fn query(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(terminals) = terminals::parse(text) {
        assert!((1..=1000).contains(&terminals.limit) && terminals.labels.len() <= 32, "{terminals:?}");
    }
    if let Ok(commands) = list::parse(text) {
        assert!((1..=1000).contains(&commands.limit), "{commands:?}");
    }
    let _ = EventFilter::parse(text);
}
