//! The URL of a Redis as text: a password that is kept beside it in a file, and its first host. Called by the programs before they
//! parse it into a [`Place`](crate::Place).

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

/// Puts `password` into `SCHEME://HOST:PORT` or `SCHEME://USER@HOST:PORT`, of which there may be several hosts with commas.
pub fn with_password(url: &str, password: &str) -> Result<String, InvalidUrl> {
    let (scheme, rest) = url.split_once("://").filter(|(_, rest)| !rest.starts_with('/')).ok_or(InvalidUrl::NoHost)?;
    let (user, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    match (user.contains(':'), host) {
        (_, "") => Err(InvalidUrl::NoHost),
        (true, _) => Err(InvalidUrl::HasPassword),
        (false, host) => Ok(format!("{scheme}://{user}:{}@{host}", encoded(password))),
    }
}

/// `HOST:PORT` of the first host.
pub fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    let host = hosts.split(',').next()?;
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match host {
        "" => None,
        host if has_port => Some(host.to_owned()),
        host => Some(format!("{host}:6379")),
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
        let put = |url| with_password(url, "p@/1").unwrap();
        assert_eq!(put("redis://redis:6379/0"), "redis://:p%40%2F1@redis:6379/0");
        assert_eq!(put("rediss://node@10.0.0.1"), "rediss://node:p%40%2F1@10.0.0.1");
        assert_eq!(put("redis+sentinel://n@a:1,b:2/main"), "redis+sentinel://n:p%40%2F1@a:1,b:2/main");
    }

    #[test]
    fn a_url_that_takes_none_is_told() {
        for (url, why) in [
            ("redis://node:old@redis", InvalidUrl::HasPassword),
            ("redis://:old@redis", InvalidUrl::HasPassword),
            ("redis:6379", InvalidUrl::NoHost),
            ("redis://", InvalidUrl::NoHost),
            ("redis+unix:///run/redis.sock", InvalidUrl::NoHost),
        ] {
            assert_eq!(with_password(url, "p"), Err(why), "{url}");
        }
    }

    #[test]
    fn a_host_is_found_with_its_port() {
        assert_eq!(host("redis://node:p@redis:6380/1").as_deref(), Some("redis:6380"));
        assert_eq!(host("redis+cluster://10.0.0.1,b:2").as_deref(), Some("10.0.0.1:6379"));
        assert_eq!(host("redis://[::1]").as_deref(), Some("[::1]:6379"));
        assert_eq!((host("redis+unix:///run/redis.sock"), host("redis")), (None, None));
    }
}
