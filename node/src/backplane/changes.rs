//! The last changes of a terminal. The memory backplane stores them as they are; a partition in Redis stores them
//! packed (`scripts/lib/changes.lua`).

use jiff::Timestamp;
use muster_protocol::{
    api::{ChangeKind, ChangedBy, TerminalChange},
    frame::Condition,
};

/// How many changes of a terminal are stored. A further change replaces the oldest.
pub const CHANGES_MAX: usize = 16;
/// The most bytes of a terminal's packed changes. The oldest changes are dropped to keep this bound, so there may be
/// fewer than [`CHANGES_MAX`].
pub const CHANGES_BYTES: usize = 220;
/// The reasons for which sessions end. A packed reason is the place of its word in this text, so a new one is appended.
pub const REASONS: &str = " left lost no_heartbeat too_slow wire no_hello bad_hello bad_labels protocol replaced disconnected removed draining rebalanced token_expired node_lost node_stopped ";

/// The bytes of a change before its text: its kind with the length of the text, and its time.
const HEAD: usize = 5;

/// Reads packed changes, the oldest first. Stops where the bytes are cut off, and leaves out a change that can't be
/// read.
pub fn unpack(bytes: &[u8]) -> Vec<TerminalChange> {
    let (mut changes, mut rest) = (Vec::new(), bytes.get(1..).unwrap_or_default());
    while let Some((&[head, a, b, c, d], behind)) = rest.split_first_chunk::<HEAD>() {
        let Some((text, behind)) = behind.split_at_checked(usize::from(head % 32) + 1) else { break };
        rest = behind;
        let at = Timestamp::from_second(u32::from_be_bytes([a, b, c, d]).into()).unwrap_or_default();
        changes.extend(kind(head / 32, text).map(|kind| TerminalChange { at, kind }));
    }
    changes
}

/// Returns the change of this kind with this text; none if the kind is not known. `kind` is the number in `names.lua`,
/// divided by 32.
fn kind(kind: u8, text: &[u8]) -> Option<ChangeKind> {
    match (kind, text) {
        (0, _) => Some(ChangeKind::Online { node: str::from_utf8(text).ok()?.parse().ok()? }),
        (1, _) => Some(offline(reason(text)?)),
        (2, b"o") => Some(ChangeKind::Condition { condition: Condition::Ok }),
        (2, b"d") => Some(ChangeKind::Condition { condition: Condition::Degraded }),
        (2, b"f") => Some(ChangeKind::Condition { condition: Condition::Failing }),
        (3, b"o") => Some(ChangeKind::Labels { by: ChangedBy::Operator }),
        (3, b"t") => Some(ChangeKind::Labels { by: ChangedBy::Terminal }),
        (4, _) => Some(ChangeKind::Contested),
        _ => None,
    }
}

/// Returns the text of an end: the reason, and the code of the close frame if the reason does not imply the code. A
/// node of a version without codes shows the whole text as the reason.
pub fn offline_text(reason: &str, code: Option<u16>) -> String {
    code.map_or_else(|| reason.to_owned(), |code| format!("{reason} {code}"))
}

/// Returns the end that has this text.
fn offline(text: &str) -> ChangeKind {
    let with_code = text.split_once(' ').and_then(|(reason, code)| Some((reason, code.parse().ok()?)));
    let (reason, code) = with_code.map_or((text, None), |(reason, code)| (reason, Some(code)));
    ChangeKind::Offline { reason: reason.to_owned(), code }
}

/// Returns a reason: if the text is a single byte, the word at that place in [`REASONS`]; otherwise the text itself.
fn reason(text: &[u8]) -> Option<&str> {
    match text {
        // The place is that of the space before the word, and Lua counts from 1, so it is the index of the word itself
        // here.
        [place] => REASONS.get(usize::from(*place)..)?.split(' ').next(),
        _ => str::from_utf8(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_changes_are_read_up_to_where_they_are_cut_off() {
        let mut packed = b"\x03".to_vec();
        for (head, text) in [
            (1, "n1"),
            (32, "\x01"),
            (32 + 8, "elsewhere"),
            (32 + 8, "left 1009"),
            (64, "f"),
            (96, "o"),
            (224, "x"),
            (128, "-"),
        ] {
            packed.extend([&[head, 0, 0, 0, 60], text.as_bytes()].concat());
        }
        let kinds: Vec<_> = unpack(&packed).into_iter().map(|change| change.kind).collect();
        let offline = |reason: &str| ChangeKind::Offline { reason: reason.into(), code: None };
        let expected = [
            ChangeKind::Online { node: "n1".parse().unwrap() },
            offline("left"),
            offline("elsewhere"),
            ChangeKind::Offline { reason: "left".into(), code: Some(1009) },
            ChangeKind::Condition { condition: Condition::Failing },
            ChangeKind::Labels { by: ChangedBy::Operator },
            ChangeKind::Contested,
        ];
        assert_eq!(kinds, expected);
        assert_eq!(unpack(&packed[..packed.len() - 1]).len(), expected.len() - 1);
        assert_eq!(unpack(&packed)[0].at.as_second(), 60);
        assert!(unpack(b"").is_empty());
    }

    #[test]
    fn every_reason_has_a_place_that_a_byte_can_tell() {
        for word in REASONS.split_whitespace() {
            let place = REASONS.find(&format!(" {word} ")).unwrap() + 1;
            assert_eq!(reason(&[u8::try_from(place).unwrap()]), Some(word));
        }
    }
}
