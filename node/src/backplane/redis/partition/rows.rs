//! Terminals as scripts tell them (`scripts/lib/rows.lua`): five values each.

use jiff::Timestamp;
use muster_protocol::{
    TerminalId,
    api::{LastClose, Protocol, Status, TerminalView},
    frame::Health,
    selector::Labels,
};

use super::stored_terminal::StoredTerminal;

/// The values of one terminal.
pub const ROW: usize = 5;

/// Returns the terminals of an answer. One that can't be read is left out, with a warning that names it.
pub fn terminals(values: &[Vec<u8>]) -> Vec<TerminalView> {
    let row = |row: &[Vec<u8>]| match terminal(row) {
        Ok(view) => Some(view),
        Err(error) => {
            let entry = String::from_utf8_lossy(&row[0]);
            tracing::warn!(%error, entry = entry.get(..200).unwrap_or(&entry), "a terminal in the store can't be read");
            None
        }
    };
    values.chunks_exact(ROW).filter_map(row).collect()
}

/// Returns a terminal and its labels, from its entry and the labels that operators gave it.
pub fn labelled(entry: &[u8], given: &[u8]) -> anyhow::Result<(TerminalId, Labels)> {
    let (_, record) =
        str::from_utf8(entry)?.split_once('\n').ok_or_else(|| anyhow::anyhow!("an entry without a record"))?;
    let record: StoredTerminal<'_> = serde_json::from_str(record)?;
    let mut labels = record.labels.into_owned();
    if !given.is_empty() {
        labels.extend(serde_json::from_slice::<Labels>(given)?);
    }
    Ok((record.terminal.into_owned(), labels))
}

/// Returns one terminal, from its entry, the labels that operators gave it, its health, when it was heard, and its
/// status.
fn terminal(row: &[Vec<u8>]) -> anyhow::Result<TerminalView> {
    let [entry, given, health, seen, status] = row else { anyhow::bail!("not {ROW} values") };
    let entry = str::from_utf8(entry)?;
    let (line, record) = entry.split_once('\n').ok_or_else(|| anyhow::anyhow!("an entry without a record"))?;
    let record: StoredTerminal<'_> = serde_json::from_str(record)?;
    let mut words = line.split(' ');
    let (node, protocol) = (words.next().unwrap_or_default(), words.nth(1));
    let health: Option<Health> = (!health.is_empty()).then(|| serde_json::from_slice(health)).transpose()?;
    let (condition, metrics) = health.map(|health| (health.condition, health.metrics)).unwrap_or_default();
    let mut labels = record.labels.into_owned();
    if !given.is_empty() {
        labels.extend(serde_json::from_slice::<Labels>(given)?);
    }
    let status = status_of(status)?;
    let seen = heard(seen);
    Ok(TerminalView {
        id: TerminalId::clone(&record.terminal),
        status,
        condition,
        labels,
        node: if status == Status::Offline { None } else { Some(node.parse()?) },
        address: Some(record.address.into_owned()).filter(|address| !address.is_empty()),
        protocol: if protocol == Some("plain") { Protocol::Plain } else { Protocol::V1 },
        connected_at: record.connected_at,
        last_seen: seen.map_or(record.connected_at, |(at, _)| at.max(record.connected_at)),
        rtt_ms: seen.map(|(_, rtt)| rtt),
        metrics,
        last_close: last_close(line),
    })
}

/// Returns what leave.lua has written into a terminal's line of its last close frame that told something: ` close
/// SECONDS REASON CODE TEXT`, where TEXT is a JSON string. None if there was none.
fn last_close(line: &str) -> Option<LastClose> {
    let (_, close) = line.split_once(" close ")?;
    let mut words = close.splitn(4, ' ');
    let at = Timestamp::from_second(words.next()?.parse().ok()?).ok()?;
    let (reason, code) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
    let text = words.next()?;
    let text = serde_json::from_str(text.strip_suffix(" will").unwrap_or(text)).ok()?;
    Some(LastClose { at, reason, code, text })
}

fn status_of(word: &[u8]) -> anyhow::Result<Status> {
    match word {
        b"online" => Ok(Status::Online),
        b"stale" => Ok(Status::Stale),
        b"offline" => Ok(Status::Offline),
        _ => anyhow::bail!("no status"),
    }
}

/// Returns when a terminal was last heard, in six bytes, and its round-trip time in ms, in two. None if it was not
/// heard yet.
fn heard(packed: &[u8]) -> Option<(Timestamp, u64)> {
    let packed = u64::from_be_bytes(packed.try_into().ok()?);
    let at = Timestamp::from_millisecond((packed >> 16) as i64).ok()?;
    (packed != 0).then_some((at, packed & 0xffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_cant_be_read_hides_no_other() {
        let good = r#"n1 0198c0de-0000-7000-8000-000000000001 plain
{"terminal":"t1","labels":{"a":"1"},"address":"10.0.0.1","connected_at":"1970-01-01T00:00:01Z"}"#;
        let row = |entry: &str| [entry, r#"{"a":"2"}"#, "", "", "online"].map(|value| value.as_bytes().to_vec());
        let views = terminals(&[row("nonsense"), row(good), row("n1 s v1\n{")].concat());
        assert_eq!(views.len(), 1);
        assert_eq!((views[0].id.as_str(), views[0].protocol, views[0].rtt_ms), ("t1", Protocol::Plain, None));
        assert_eq!(views[0].labels["a"], "2");
    }

    #[test]
    fn a_line_tells_its_last_close_whether_a_session_follows_or_not() {
        let told = |line| last_close(line).map(|close| (close.at.as_second(), close.reason, close.code, close.text));
        let expected = Some((9, "left".to_owned(), 1009, "a \"b\" will".to_owned()));
        assert_eq!(told(r#" s v1 close 9 left 1009 "a \"b\" will""#), expected);
        assert_eq!(told(r#"n s plain close 9 left 1009 "a \"b\" will" will"#), expected);
        assert_eq!((told("n s v1"), told("n s v1 will"), told(" s v1 close x")), (None, None, None));
    }

    #[test]
    fn it_is_packed_when_a_terminal_was_heard() {
        let at = Timestamp::from_millisecond(1_764_000_000_123).unwrap();
        let packed = ((1_764_000_000_123u64 << 16) | 7).to_be_bytes();
        assert_eq!((heard(&packed), heard(&[0; 8]), heard(&[])), (Some((at, 7)), None, None));
    }
}
