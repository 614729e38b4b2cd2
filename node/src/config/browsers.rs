//! The settings for web pages that call a node.

use std::{fmt, net::IpAddr, str::FromStr};

use clap::Args;

/// How many origins may be listed. Each is compared with the `Origin` of each request that has one.
pub const ORIGINS_MAX: usize = 64;
/// The longest origin, in bytes: a host name has 253 at most.
const ORIGIN_MAX: usize = 300;

/// The settings for web pages that call a node.
#[derive(Debug, Clone, Default, Args)]
pub struct BrowserFlags {
    /// The origins of web pages that may open sessions and change something, such as https://ops.example.net, exactly: scheme, host and
    /// port. They may also read answers of the API (CORS). At most 64, separated by commas. A request with another Origin is refused
    /// with 403. Default: any origin; with --insecure, pages of this machine and of the request's own host
    #[arg(long, env = "MUSTER_ALLOW_ORIGIN", value_name = "URL", value_delimiter = ',')]
    pub allow_origin: Vec<WebOrigin>,
}

/// The origin of a web page: scheme, host and port. The cases of scheme and host, and a port that is the scheme's own, make no
/// difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin {
    scheme: String,
    /// In lower case; an IPv6 address in brackets.
    host: String,
    port: Option<u16>,
}

impl WebOrigin {
    /// The host, in lower case; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the page was loaded from this machine.
    pub fn is_local(&self) -> bool {
        let address = self.host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        self.host == "localhost" || self.host.ends_with(".localhost") || address.is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for WebOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        read(text).ok_or_else(|| {
            format!(
                "an origin is written https://ops.example.net or http://10.0.0.1:8080, without a path, not {text:?}"
            )
        })
    }
}

fn read(text: &str) -> Option<WebOrigin> {
    if text.len() > ORIGIN_MAX {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte);
    let scheme =
        Some(scheme).filter(|scheme| !scheme.is_empty() && scheme.bytes().all(is_scheme))?.to_ascii_lowercase();
    // The colon of a port comes after the brackets of an IPv6 address.
    let end = rest.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match rest[end..].split_once(':') {
        Some((before, port)) => (&rest[..end + before.len()], Some(port)),
        None => (rest, None),
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[:]".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_host) {
        return None;
    }
    let port = match port {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
        Some(_) => return None,
        None => None,
    };
    let own = match scheme.as_str() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    Some(WebOrigin { scheme, host: host.to_ascii_lowercase(), port: port.filter(|_| port != own) })
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> WebOrigin {
        text.parse().unwrap()
    }

    #[test]
    fn origins_are_the_same_whatever_the_case_and_with_the_port_of_their_scheme() {
        assert_eq!(origin("HTTPS://Ops.Example.NET"), origin("https://ops.example.net:443"));
        assert_eq!(origin("http://[::1]:80").to_string(), "http://[::1]");
        assert_eq!(origin("http://10.0.0.1:8080").to_string(), "http://10.0.0.1:8080");
        for other in ["http://ops.example.net", "https://ops.example.net:444", "https://ops.example.net.evil.com"] {
            assert_ne!(origin("https://ops.example.net"), origin(other));
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        let long = format!("https://{}", "x".repeat(300));
        for bad in [
            "null",
            "*",
            "",
            "ops.example.net",
            "https://",
            "https://a/",
            "https://a/b",
            "https://a?b",
            "https://u@a",
            "https://a:x",
            "https://a:",
            "https://a:70000",
            "https://a b",
            "://a",
            "https://*.example.net",
            &long,
        ] {
            assert!(bad.parse::<WebOrigin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_page_is_local_by_its_address_or_by_localhost() {
        for local in ["http://localhost:3000", "http://app.localhost", "http://127.0.0.7", "http://[::1]:9000"] {
            assert!(origin(local).is_local(), "{local}");
        }
        for other in ["http://localhost.evil.com", "http://evil.com", "http://127.0.0.1.evil.com", "http://10.0.0.1"] {
            assert!(!origin(other).is_local(), "{other}");
        }
    }
}
