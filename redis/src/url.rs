//! The URL of Redis as text: puts a password from a file into it, and lists its hosts. The programs call this before
//! they parse the URL into a [`Topology`](crate::Topology).

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::secret;

/// The default port of a Sentinel.
pub(crate) const SENTINEL_PORT: u16 = 26379;
/// The default port of a Redis server.
pub(crate) const PORT: u16 = 6379;

/// Why a password can't be put into a URL. The text contains neither of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// The URL does not begin with `SCHEME://HOST`.
    #[error("it is no URL of the form redis://USER@HOST:PORT")]
    NoHost,
    /// The URL has a password already, so it is unclear which one is meant.
    #[error("it has a password already; give only one of the two")]
    HasPassword,
}

/// Why the password of `--redis-password-file` can't be used. Both programs have these flags.
#[derive(Debug, thiserror::Error)]
pub enum BadPassword {
    /// The file can't be read or is empty.
    #[error("--redis-password-file {}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The URL can't take a password.
    #[error("--redis, which gets its password from --redis-password-file")]
    Url(#[source] InvalidUrl),
}

/// Returns the URL with the password in `file`. Ignores white space at the end of the file.
pub fn with_password_file(url: &str, file: &Path) -> Result<String, BadPassword> {
    let password = secret::read(file).map_err(|error| BadPassword::File(file.to_owned(), error))?;
    with_password(url, password.trim_end()).map_err(BadPassword::Url)
}

/// Puts a password into `SCHEME://HOST:PORT` or `SCHEME://USER@HOST:PORT`. Commas may separate several hosts.
fn with_password(url: &str, password: &str) -> Result<String, InvalidUrl> {
    let (scheme, rest) = url.split_once("://").filter(|(_, rest)| !rest.starts_with('/')).ok_or(InvalidUrl::NoHost)?;
    let (authority, after) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    match (user.contains(':'), hosts) {
        (_, "") => Err(InvalidUrl::NoHost),
        (true, _) => Err(InvalidUrl::HasPassword),
        (false, hosts) => Ok(format!("{scheme}://{user}:{}@{hosts}{after}", encoded(password))),
    }
}

/// Returns `HOST:PORT` of each host in a URL. Nothing for a URL without a host, such as one of a unix socket.
pub fn hosts(url: &str) -> Vec<String> {
    let Some((scheme, rest)) = url.split_once("://") else { return Vec::new() };
    let port = if scheme.ends_with("+sentinel") { SENTINEL_PORT } else { PORT };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    hosts.split(',').filter(|host| !host.is_empty()).map(|host| with_port(host, port)).collect()
}

/// Adds the port to a host that has none.
pub(crate) fn with_port(host: &str, port: u16) -> String {
    match host.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
        _ => format!("{host}:{port}"),
    }
}

/// Percent-encodes a password for a URL.
fn encoded(password: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    password.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_added_and_nothing_else_changes() {
        let put = |url: &str| with_password(url, "p@/1").unwrap();
        assert_eq!(put("redis://redis:6379/0"), "redis://:p%40%2F1@redis:6379/0");
        assert_eq!(put("rediss://node@10.0.0.1"), "rediss://node:p%40%2F1@10.0.0.1");
        assert_eq!(put("redis+sentinel://n@a:1,b:2/main"), "redis+sentinel://n:p%40%2F1@a:1,b:2/main");
        let query = "?sentinel_password=a@b:c";
        assert_eq!(
            put(&format!("redis+sentinel://a:1/main{query}")),
            format!("redis+sentinel://:p%40%2F1@a:1/main{query}")
        );
        assert_eq!(put(&format!("redis://a{query}")), format!("redis://:p%40%2F1@a{query}"));
    }

    #[test]
    fn a_url_that_can_take_no_password_is_refused() {
        for (url, why) in [
            ("redis://node:old@redis", InvalidUrl::HasPassword),
            ("redis://:old@redis", InvalidUrl::HasPassword),
            ("redis:6379", InvalidUrl::NoHost),
            ("redis://", InvalidUrl::NoHost),
            ("redis+unix:///run/redis.sock", InvalidUrl::NoHost),
            ("redis://node@/0", InvalidUrl::NoHost),
        ] {
            assert_eq!(with_password(url, "p"), Err(why), "{url}");
        }
    }

    #[test]
    fn hosts_are_listed_with_their_ports() {
        assert_eq!(hosts("redis://node:p@redis:6380/1"), ["redis:6380"]);
        assert_eq!(hosts("redis+cluster://10.0.0.1,b:2"), ["10.0.0.1:6379", "b:2"]);
        assert_eq!(hosts("redis+sentinel://a,b:2/main?sentinel_password=p@w"), ["a:26379", "b:2"]);
        assert_eq!(hosts("rediss+sentinel://a"), ["a:26379"]);
        assert_eq!(hosts("redis://[::1]"), ["[::1]:6379"]);
        assert!(hosts("redis+unix:///run/redis.sock").is_empty() && hosts("redis").is_empty());
    }
}
