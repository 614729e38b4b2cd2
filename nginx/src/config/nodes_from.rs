//! The value of `--nodes-from`.

use std::{fmt, path::PathBuf, str::FromStr};

/// The port of nodes whose name is given without one: the default of a node.
const PORT: u16 = 9000;

/// Where nodes are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodesFrom {
    /// In Redis, by their leases.
    Redis,
    /// In DNS: the addresses (A and AAAA) of this name, each with this port.
    Dns(String, u16),
    /// In this file.
    File(PathBuf),
}

impl FromStr for NodesFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match (kind, rest) {
            ("redis", "") => Ok(Self::Redis),
            ("file", path) if !path.is_empty() => Ok(Self::File(path.into())),
            ("dns", name) => {
                let (name, port) =
                    name.split_once(':').map_or((name, Some(PORT)), |(name, port)| (name, port.parse().ok()));
                match port.filter(|port| *port > 0) {
                    Some(port) if is_name(name) => Ok(Self::Dns(name.to_owned(), port)),
                    _ => {
                        Err("dns: is followed by a name in DNS, and then by a colon and a port if that is not 9000"
                            .into())
                    }
                }
            }
            _ => Err("redis, dns:NAME[:PORT] or file:PATH".into()),
        }
    }
}

impl fmt::Display for NodesFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis => f.write_str("redis"),
            Self::Dns(name, port) => write!(f, "dns:{name}:{port}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=253).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_as_it_is_written() {
        for (text, written) in [
            ("redis", "redis"),
            ("dns:ws.svc.cluster.local", "dns:ws.svc.cluster.local:9000"),
            ("dns:ws:8765", "dns:ws:8765"),
            ("file:/etc/muster/nodes", "file:/etc/muster/nodes"),
        ] {
            assert_eq!(text.parse::<NodesFrom>().unwrap().to_string(), written);
        }
        for wrong in
            ["", "redis:x", "file:", "dns:", "dns::80", "dns:a b", "dns:a:0", "dns:a:x", "dns:a:1:2", "consul:a"]
        {
            assert!(wrong.parse::<NodesFrom>().is_err(), "{wrong}");
        }
    }
}
