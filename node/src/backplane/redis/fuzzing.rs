//! What clients give back, and what nodes read from the channels of Redis.

use std::{fmt, mem, str::FromStr};

use data_encoding::BASE64;
use muster_protocol::{inbox::ProxyMessage, partition::Partitions};

use super::{
    delivery::{PartitionEnvelope, PublishedTo},
    event_token::EventToken,
    partition::bitmap::{bitmap, ordinals},
};
use crate::backplane::{CommandPlace, Cursor};

/// Positions: of a terminal in the broadcasts, of an operator in a list of commands and in all events.
pub(crate) fn position(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    reread::<Cursor>(text);
    reread::<CommandPlace>(text);
    if let Some(token) = reread::<EventToken>(text) {
        assert!(token.behind.len() <= usize::from(Partitions::MAX));
    }
}

/// Reads a position, and demands that it is read alike after it was written.
fn reread<P: FromStr + fmt::Display + fmt::Debug + PartialEq>(text: &str) -> Option<P> {
    let read: P = text.parse().ok()?;
    let written = read.to_string();
    assert_eq!(written.parse::<P>().ok().as_ref(), Some(&read), "{written}");
    Some(read)
}

/// A message of a channel.
pub(crate) fn envelope(bytes: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<ProxyMessage>(bytes) {
        let written = message.to_string();
        assert_eq!(serde_json::from_str::<ProxyMessage>(&written).ok(), Some(message), "{written}");
    }
    let Ok(read) = serde_json::from_slice::<PartitionEnvelope<'_>>(bytes) else { return };
    let written = serde_json::to_string(&read).expect("an envelope has a JSON form");
    let again: PartitionEnvelope<'_> = serde_json::from_str(&written).expect("an envelope that was written is one");
    // The last bit of a rate may change when the rate is read.
    assert_eq!(mem::discriminant(&again), mem::discriminant(&read), "{written}");
    if let PartitionEnvelope::Deliver(published) = &read
        && let PublishedTo::Bits(base64) = &published.to
        && let Ok(bits) = BASE64.decode(base64.as_bytes())
    {
        let end = bits.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        assert_eq!(bitmap(ordinals(&bits)), &bits[..end]);
    }
}
