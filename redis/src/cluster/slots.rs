//! The slots of a Redis Cluster: which slot a key has, and which master has a slot.

use redis::{ConnectionAddr, Value, from_redis_value};

/// The number of slots.
pub const SLOTS: usize = 16_384;

/// Returns the slot of a key: the CRC-16 (XMODEM) of its hash tag, or of the whole key if it has none.
pub fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    let crc = hashed.bytes().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    });
    crc % SLOTS as u16
}

/// Which master has which slots, as one member of the cluster knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotMap {
    /// The addresses of the masters.
    pub masters: Vec<ConnectionAddr>,
    /// For each slot the index of its master; `None` for a slot that no master has.
    pub owners: Vec<Option<u16>>,
}

impl Default for SlotMap {
    fn default() -> Self {
        Self { masters: Vec::new(), owners: vec![None; SLOTS] }
    }
}

impl SlotMap {
    /// Reads the answer to `CLUSTER SLOTS` of the member at `asked`. `None` if the text is no such answer.
    pub fn parse(answer: Value, asked: &ConnectionAddr) -> Option<Self> {
        let mut map = Self::default();
        let Value::Array(ranges) = answer else { return None };
        for range in ranges {
            let Value::Array(fields) = range else { return None };
            let mut fields = fields.into_iter();
            let (first, last): (usize, usize) = (number(fields.next()?)?, number(fields.next()?)?);
            let Value::Array(master) = fields.next()? else { return None };
            if first > last || last >= SLOTS {
                return None;
            }
            if let Some(address) = address_of(master, asked) {
                let owner = map.index(address)?;
                map.owners[first..=last].fill(Some(owner));
            }
        }
        Some(map)
    }

    /// Returns the index of a master. Adds the master if it is new. `None` if there are too many.
    fn index(&mut self, address: ConnectionAddr) -> Option<u16> {
        let known = self.masters.iter().position(|master| *master == address);
        let index = known.unwrap_or_else(|| {
            self.masters.push(address);
            self.masters.len() - 1
        });
        u16::try_from(index).ok()
    }
}

fn number(value: Value) -> Option<usize> {
    from_redis_value(value).ok()
}

/// Returns the address of a member in an answer: its host and port. If the host is missing or empty, the host of the
/// member that answered counts. `None` if the member is known by a host name that it has not told yet (`?`).
fn address_of(member: Vec<Value>, asked: &ConnectionAddr) -> Option<ConnectionAddr> {
    let mut fields = member.into_iter();
    let host: Option<String> = from_redis_value(fields.next()?).ok()?;
    let port = from_redis_value(fields.next()?).ok()?;
    match (host.as_deref().unwrap_or_default(), asked) {
        ("?", _) => None,
        ("", ConnectionAddr::Tcp(own, _)) => Some(ConnectionAddr::Tcp(own.clone(), port)),
        ("", _) => None,
        (host, _) => Some(ConnectionAddr::Tcp(host.to_owned(), port)),
    }
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn at(host: &str, port: u16) -> ConnectionAddr {
        ConnectionAddr::Tcp(host.into(), port)
    }

    #[test]
    fn slots_are_those_of_redis() {
        // As CLUSTER KEYSLOT answers.
        for (key, expected) in [
            ("123456789", 12739),
            ("{muster}:x", 6369),
            ("a{b}{c}", 3300),
            ("{}a", 10875),
            ("{a", 10276),
            ("a}b{c}d", 7365),
        ] {
            assert_eq!(slot(key), expected, "{key}");
        }
    }

    #[test]
    fn a_map_has_the_masters_and_not_the_replicas() {
        let answer = b"*3\r\n*4\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:7\r\n*2\r\n$1\r\nr\r\n:9\r\n*3\r\n:5\r\n:5\r\n*2\r\n$-1\r\n:8\r\n*3\r\n:6\r\n:6\r\n*2\r\n$1\r\n?\r\n:1\r\n";
        let map = SlotMap::parse(parse_redis_value(answer).unwrap(), &at("me", 1)).unwrap();
        assert_eq!(map.masters, [at("a", 7), at("me", 8)]);
        assert_eq!(map.owners[..7], [Some(0), Some(0), None, None, None, Some(1), None]);
        for broken in [&b"+OK\r\n"[..], b"*1\r\n*1\r\n:0\r\n", b"*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:7\r\n"] {
            assert_eq!(SlotMap::parse(parse_redis_value(broken).unwrap(), &at("me", 1)), None);
        }
    }
}
