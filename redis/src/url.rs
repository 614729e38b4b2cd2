//! The URL of a Redis as text: a password that is kept beside it in a file, and its hosts. Called by the programs before they
//! parse it into a [`Topology`](crate::Topology).

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::secret;

/// Where a Sentinel listens unless it is said.
pub(crate) const SENTINEL_PORT: u16 = 26379;
/// The same of a server.
pub(crate) const PORT: u16 = 6379;

/// Why a password can't be put into a URL; repeats neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// No `SCHEME://HOST`.
    #[error("it is no URL of the form redis://USER@HOST:PORT")]
    NoHost,
    /// Two would be a riddle.
    #[error("it has a password already")]
    HasPassword,
}

/// Why a URL gets no password from a file; by the flags that both programs have for it.
#[derive(Debug, thiserror::Error)]
pub enum BadPassword {
    /// The file holds none.
    #[error("--redis-password-file {}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The URL takes none.
    #[error("--redis, to which --redis-password-file gives a password")]
    Url(#[source] InvalidUrl),
}

/// Puts the password that `file` holds into the URL.
pub fn with_password_file(url: &str, file: &Path) -> Result<String, BadPassword> {
    let password = secret::read(file).map_err(|error| BadPassword::File(file.to_owned(), error))?;
    with_password(url, password.trim_end()).map_err(BadPassword::Url)
}

/// Puts `password` into `SCHEME://HOST:PORT` or `SCHEME://USER@HOST:PORT`, of which there may be several hosts with commas.
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

/// `HOST:PORT` of each host; none of what has none, as a socket's file.
pub fn hosts(url: &str) -> Vec<String> {
    let Some((scheme, rest)) = url.split_once("://") else { return Vec::new() };
    let port = if scheme == "redis+sentinel" { SENTINEL_PORT } else { PORT };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    hosts.split(',').filter(|host| !host.is_empty()).map(|host| with_port(host, port)).collect()
}

/// A host, with `port` unless it has one.
pub(crate) fn with_port(host: &str, port: u16) -> String {
    match host.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
        _ => format!("{host}:{port}"),
    }
}

/// As it can stand in a URL, whatever it holds.
fn encoded(password: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    password.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_put_where_it_belongs_and_nothing_else_changes() {
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
    fn a_url_that_takes_none_is_told() {
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
    fn hosts_are_found_with_their_ports() {
        assert_eq!(hosts("redis://node:p@redis:6380/1"), ["redis:6380"]);
        assert_eq!(hosts("redis+cluster://10.0.0.1,b:2"), ["10.0.0.1:6379", "b:2"]);
        assert_eq!(hosts("redis+sentinel://a,b:2/main?sentinel_password=p@w"), ["a:26379", "b:2"]);
        assert_eq!(hosts("redis://[::1]"), ["[::1]:6379"]);
        assert!(hosts("redis+unix:///run/redis.sock").is_empty() && hosts("redis").is_empty());
    }
}
