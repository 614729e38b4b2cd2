//! A terminal's URLs, parsed and checked once at the start.

use std::sync::Arc;

use muster_protocol::TerminalId;
use tokio_tungstenite::tungstenite::http::Uri;

use crate::{Config, ConfigError, TlsSource, server::ServerAddress, tls::WatchedTls};

/// A URL to connect to.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// The server of the URL.
    pub(crate) server: ServerAddress,
    /// The URL with the terminal's id in its query.
    pub(crate) uri: Uri,
}

impl Endpoint {
    /// Returns the configuration's URLs, in the same order. Fails if there is none, at the first URL that can't be
    /// used, or if the files for TLS can't be used.
    pub(crate) fn all(config: &Config) -> Result<Vec<Self>, ConfigError> {
        let tls = load(&config.urls, &config.tls)?;
        parsed(&config.urls, |url| Self::parse(url, &config.terminal, tls.as_ref()))
    }

    /// Returns the server of each of these URLs. Fails as [`all`](Self::all) does.
    pub(crate) fn servers(urls: &[String], tls: &TlsSource) -> Result<Vec<ServerAddress>, ConfigError> {
        let tls = load(urls, tls)?;
        parsed(urls, |url| Ok(split(url, tls.as_ref())?.1))
    }

    fn parse(url: &str, terminal: &TerminalId, tls: Option<&Arc<WatchedTls>>) -> Result<Self, &'static str> {
        let (uri, server) = split(url, tls)?;
        let uri = with_terminal(&uri, terminal).parse().map_err(|_| "is too long")?;
        Ok(Self { server, uri })
    }
}

/// Reads the files for TLS, if a URL asks for TLS. Fails if no URL does and TLS is set nevertheless.
fn load(urls: &[String], tls: &TlsSource) -> Result<Option<Arc<WatchedTls>>, ConfigError> {
    let is_wanted = urls.iter().any(|url| url.starts_with("wss:"));
    match tls.first_setting() {
        _ if is_wanted => tls.load().map(Some).map_err(|error| ConfigError::Tls { problem: error.to_string() }),
        Some(setting) => Err(ConfigError::TlsUnused { setting }),
        None => Ok(None),
    }
}

fn parsed<T>(urls: &[String], parse: impl Fn(&str) -> Result<T, &'static str>) -> Result<Vec<T>, ConfigError> {
    if urls.is_empty() {
        return Err(ConfigError::NoUrl);
    }
    let parse = |(index, url): (usize, &String)| parse(url).map_err(|problem| ConfigError::BadUrl { index, problem });
    urls.iter().enumerate().map(parse).collect()
}

/// Returns a URL and its server.
fn split(url: &str, tls: Option<&Arc<WatchedTls>>) -> Result<(Uri, ServerAddress), &'static str> {
    let uri: Uri = url.parse().map_err(|_| "is not a URL; write ws://HOST:PORT/PATH or wss://HOST:PORT/PATH")?;
    let tls = match uri.scheme_str() {
        Some("ws") => None,
        Some("wss") => Some(tls.ok_or("must begin with wss:// in lower case")?.clone()),
        _ => return Err("must begin with ws:// or wss://"),
    };
    let server = ServerAddress::of(&uri, tls)?;
    Ok((uri, server))
}

/// Returns the URL with `terminal_id` added to its query. The characters of an id need no escaping.
fn with_terminal(uri: &Uri, terminal: &TerminalId) -> String {
    let (scheme, authority) = (uri.scheme_str().unwrap_or("ws"), uri.authority().map_or("", |it| it.as_str()));
    let query = uri.query().map(|query| format!("{query}&")).unwrap_or_default();
    format!("{scheme}://{authority}{}?{query}terminal_id={terminal}", uri.path())
}

#[cfg(test)]
mod tests {
    use muster_net::TlsFiles;

    use super::*;

    fn insecure() -> TlsSource {
        TlsSource::files(TlsFiles { insecure: true, ..TlsFiles::default() })
    }

    fn parse(url: &str) -> Result<Endpoint, &'static str> {
        Endpoint::parse(url, &"t:1".parse().unwrap(), Some(&insecure().load().unwrap()))
    }

    fn server(url: &str) -> (String, u16) {
        let server = parse(url).unwrap().server;
        (server.host, server.port)
    }

    #[test]
    fn the_terminal_id_is_added_to_the_query() {
        assert_eq!(parse("ws://h:9000/ws?site=bj").unwrap().uri, "ws://h:9000/ws?site=bj&terminal_id=t:1");
        assert_eq!(parse("wss://[::1]").unwrap().uri, "wss://[::1]/?terminal_id=t:1");
    }

    #[test]
    fn the_port_is_that_of_the_url_or_of_its_scheme() {
        assert_eq!(server("ws://h:9000/ws"), ("h".to_owned(), 9000));
        assert_eq!(server("ws://[::1]"), ("::1".to_owned(), 80));
        assert_eq!(server("wss://h/ws"), ("h".to_owned(), 443));
    }

    #[test]
    fn an_unusable_url_is_refused_and_not_repeated() {
        for (url, problem) in [
            ("http://h/ws", "wss://"),
            ("h", "ws://"),
            ("ws://u:pw@h/", "token"),
            ("wss://u:pw@h/", "token"),
            ("", "URL"),
        ] {
            let told = parse(url).unwrap_err();
            assert!(told.contains(problem) && !told.contains("pw"), "{url}: {told}");
        }
    }

    #[test]
    fn settings_of_tls_need_a_url_that_asks_for_tls() {
        let with = |urls: &[&str]| {
            let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
            load(&urls, &insecure()).map(|tls| tls.is_some())
        };
        assert_eq!(with(&["ws://h/ws", "wss://h/ws"]), Ok(true));
        assert_eq!(with(&["ws://h/ws"]), Err(ConfigError::TlsUnused { setting: "insecure" }));
    }
}
