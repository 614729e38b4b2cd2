//! The URL of a notice.

use hyper::Uri;

/// The most bytes of a URL.
pub const URL_MAX: usize = 2048;

/// Where messages are posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeUrl {
    /// Whether it begins with `https://`.
    pub is_https: bool,
    /// The name or address to connect to, IPv6 without brackets.
    pub host: String,
    /// The port to connect to.
    pub port: u16,
    /// The host and port as the URL has them.
    pub authority: String,
    /// The path and query.
    pub path: String,
}

impl NoticeUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What a URL must be. The error does not repeat the URL, of which a part may be secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "url: give https://HOST[:PORT]/PATH, without a user".to_owned();
        if text.len() > URL_MAX {
            return Err(format!("url: at most {URL_MAX} bytes"));
        }
        let url: Uri = text.parse().map_err(|_| wrong())?;
        let is_https = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let authority = url.authority().ok_or_else(wrong)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let default = if is_https { 443 } else { 80 };
        let port = match authority.port_u16() {
            Some(port @ 1..) => port,
            None if authority.as_str() == authority.host() => default,
            _ => return Err(wrong()),
        };
        // A URL may have a query without a path, and a request may not.
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self { is_https, host, port, authority: authority.to_string(), path })
    }

    /// The URL without its path, which may be secret.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.is_https { "https" } else { "http" }, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_no_user() {
        let url = NoticeUrl::parse("https://hooks.example:8443/a?b=c#d").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("hooks.example", 8443, "/a?b=c"));
        assert_eq!(url.origin(), "https://hooks.example:8443");
        assert_eq!(NoticeUrl::parse("https://h?q").unwrap().path, "/?q");
        let url = NoticeUrl::parse("http://[::1]/").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.authority.as_str(), url.is_https), ("::1", 80, "[::1]", false));
        let long = format!("https://h/{}", "x".repeat(URL_MAX));
        let ports = ["https://h:/", "https://h:0/", "https://h:65536/", "https://[::1]:x/"];
        for bad in ["", "hooks", "ftp://h/", "https:///x", "https://u:pass@h/", &long].into_iter().chain(ports) {
            let told = NoticeUrl::parse(bad).unwrap_err();
            assert!(told.starts_with("url: ") && !told.contains("pass"), "{bad}: {told}");
        }
    }
}
