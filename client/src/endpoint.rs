//! A terminal's URLs, parsed and checked once at the start.

use muster_protocol::TerminalId;
use tokio_tungstenite::tungstenite::http::Uri;

use crate::{Config, ConfigError};

/// A URL to connect to.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// `HOST:PORT`, to be resolved at each attempt. The port is 80 if the URL names none.
    pub(crate) address: String,
    /// The URL with the terminal's id in its query.
    pub(crate) uri: Uri,
}

impl Endpoint {
    /// The configuration's URLs, in the same order. Fails if there is none, or with the first that can't be used.
    pub(crate) fn all(config: &Config) -> Result<Vec<Self>, ConfigError> {
        if config.urls.is_empty() {
            return Err(ConfigError::NoUrl);
        }
        let parse = |(index, url): (usize, &String)| {
            Self::parse(url, &config.terminal).map_err(|problem| ConfigError::BadUrl { index, problem })
        };
        config.urls.iter().enumerate().map(parse).collect()
    }

    /// `HOST:PORT` of each of these URLs. Fails with the first that can't be used.
    pub(crate) fn addresses(urls: &[String]) -> Result<Vec<String>, ConfigError> {
        if urls.is_empty() {
            return Err(ConfigError::NoUrl);
        }
        let address = |(index, url): (usize, &String)| {
            split(url).map(|(_, address)| address).map_err(|problem| ConfigError::BadUrl { index, problem })
        };
        urls.iter().enumerate().map(address).collect()
    }

    fn parse(url: &str, terminal: &TerminalId) -> Result<Self, &'static str> {
        let (uri, address) = split(url)?;
        let uri = with_terminal(&uri, terminal).parse().map_err(|_| "is too long")?;
        Ok(Self { address, uri })
    }
}

/// A URL and its `HOST:PORT`.
fn split(url: &str) -> Result<(Uri, String), &'static str> {
    let uri: Uri = url.parse().map_err(|_| "is not a URL; write ws://HOST:PORT/PATH")?;
    match uri.scheme_str() {
        Some("ws") => {}
        Some("wss") => return Err("asks for TLS, which this client does not speak; use ws:// to a local proxy"),
        _ => return Err("must begin with ws://"),
    }
    let authority = uri.authority().ok_or("names no host")?;
    if authority.as_str().contains('@') {
        return Err("holds credentials; set the token instead");
    }
    let address = format!("{}:{}", authority.host(), uri.port_u16().unwrap_or(80));
    Ok((uri, address))
}

/// The URL with `terminal_id` added to its query. The characters of an id need no escaping.
fn with_terminal(uri: &Uri, terminal: &TerminalId) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let query = uri.query().map(|query| format!("{query}&")).unwrap_or_default();
    format!("ws://{authority}{}?{query}terminal_id={terminal}", uri.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Endpoint, &'static str> {
        Endpoint::parse(url, &"t:1".parse().unwrap())
    }

    #[test]
    fn the_terminal_id_is_added_to_the_query() {
        let endpoint = parse("ws://h:9000/ws?site=bj").unwrap();
        assert_eq!(endpoint.uri, "ws://h:9000/ws?site=bj&terminal_id=t:1");
        assert_eq!(endpoint.address, "h:9000");
        assert_eq!(parse("ws://[::1]").unwrap().uri, "ws://[::1]/?terminal_id=t:1");
        assert_eq!(parse("ws://[::1]").unwrap().address, "[::1]:80");
    }

    #[test]
    fn an_unusable_url_is_refused_and_not_repeated() {
        for (url, problem) in
            [("wss://h/ws", "TLS"), ("http://h/ws", "ws://"), ("h", "ws://"), ("ws://u:pw@h/", "token"), ("", "URL")]
        {
            let told = parse(url).unwrap_err();
            assert!(told.contains(problem) && !told.contains("pw"), "{url}: {told}");
        }
    }
}
