//! Parses the URL of `--redis`, which says where to look for the master.
//!
//! ```text
//! redis://[USER:PASSWORD@]HOST:PORT                       one server
//! redis+sentinel://[USER:PASSWORD@]HOST:PORT,.../NAME     the master that these Sentinels know by this name
//! redis+cluster://[USER:PASSWORD@]HOST:PORT,...           the masters of a Redis Cluster; some members are given
//! rediss://, rediss+sentinel://, rediss+cluster://        the same by TLS, to every server and Sentinel
//! ```
//!
//! User and password are for Redis. If the Sentinels need their own, they stand in `?sentinel_username=` and
//! `?sentinel_password=`.

use std::{fmt, str::FromStr};

use muster_net::{BadTlsFile, Tls, TlsFiles};
use redis::{ConnectionInfo, IntoConnectionInfo};

use crate::{
    TLS_FLAGS,
    sentinels::Sentinels,
    url::{PORT, SENTINEL_PORT, with_port},
};

/// Where to look for the master, and how to connect. Its `Display` shows addresses only, and no password.
#[derive(Debug, Clone)]
pub struct Topology {
    servers: Servers,
    /// `None` without TLS.
    tls: Option<Tls>,
}

/// Which servers are asked for the master.
#[derive(Debug, Clone)]
pub(crate) enum Servers {
    /// The master is always this server.
    Fixed(ConnectionInfo),
    /// Sentinels know which server is the master.
    Sentinels(Sentinels),
    /// Some members of a cluster. Each knows the master of every slot.
    Cluster(Vec<ConnectionInfo>),
}

/// The error for a text that is no URL of a Redis. It does not contain the URL, which may have a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no URL of the form redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/NAME or redis+cluster://HOST:PORT,HOST:PORT, with rediss instead of redis for TLS: {0}"
)]
pub struct BadUrl(String);

/// Why `--redis` and the flags for TLS can't be used. The text begins with the flag.
#[derive(Debug, thiserror::Error)]
pub enum BadTopology {
    /// The URL can't be parsed.
    #[error("--redis {0}")]
    Url(#[from] BadUrl),
    /// A file for TLS can't be used.
    #[error(transparent)]
    Tls(#[from] BadTlsFile),
    /// A file for TLS is given, and the URL does not ask for TLS.
    #[error(
        "{0} is for TLS, and --redis does not ask for TLS: write rediss:// instead of redis:// in --redis, or leave {0} out"
    )]
    NoTls(&'static str),
}

impl Topology {
    /// Parses the URL of `--redis`, and loads the files for TLS if the URL asks for TLS. The error begins with the name
    /// of the flag.
    pub fn new(url: &str, files: &TlsFiles) -> Result<Self, BadTopology> {
        let (encrypted, url) = without_tls(url);
        let servers = url.parse()?;
        let tls = match (encrypted, files.first_flag()) {
            (true, _) => Some(Tls::load(files)?),
            (false, Some(flag)) => return Err(BadTopology::NoTls(flag)),
            (false, None) => None,
        };
        Ok(Self { servers, tls })
    }

    /// Returns the number of the database; 0 with Sentinels and in a Redis Cluster.
    pub fn database(&self) -> i64 {
        match &self.servers {
            Servers::Fixed(info) => info.redis_settings().db(),
            Servers::Sentinels(_) | Servers::Cluster(_) => 0,
        }
    }

    pub(crate) fn servers(&self) -> &Servers {
        &self.servers
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }
}

impl FromStr for Topology {
    type Err = BadTopology;

    /// Parses a URL; for TLS, trusts what the system trusts.
    fn from_str(url: &str) -> Result<Self, BadTopology> {
        Self::new(url, &TlsFiles { flags: TLS_FLAGS, ..TlsFiles::default() })
    }
}

/// Returns whether a URL asks for TLS, and the same URL without TLS.
fn without_tls(url: &str) -> (bool, String) {
    match url.strip_prefix("rediss").or_else(|| url.strip_prefix("valkeys")) {
        Some(rest) if ["://", "+sentinel://", "+cluster://"].iter().any(|after| rest.starts_with(after)) => {
            (true, format!("redis{rest}"))
        }
        _ => (false, url.to_owned()),
    }
}

impl FromStr for Servers {
    type Err = BadUrl;

    fn from_str(url: &str) -> Result<Self, BadUrl> {
        match url.split_once("://") {
            Some(("redis+sentinel", rest)) => sentinels(rest),
            Some(("redis+cluster", rest)) => cluster(rest),
            _ => Ok(Self::Fixed(info(url)?)),
        }
    }
}

fn sentinels(rest: &str) -> Result<Servers, BadUrl> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
    // A name with @ or : may be the end of a password with a / in it, and must not be printed.
    if name.is_empty() || name.contains(['/', '@', ':']) {
        return Err(BadUrl("after the Sentinels comes /NAME, the name of the master".into()));
    }
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let sentinel_user = credentials(query)?;
    let entry = info(&format!("redis://{}localhost", at(user)))?.redis_settings().clone();
    let members = members(hosts, &sentinel_user, SENTINEL_PORT)?;
    Ok(Servers::Sentinels(Sentinels { members, name: name.to_owned(), entry }))
}

fn cluster(rest: &str) -> Result<Servers, BadUrl> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?']) {
        return Err(BadUrl("a cluster URL has addresses, and no path or query".into()));
    }
    let (user, hosts) = rest.rsplit_once('@').unwrap_or(("", rest));
    Ok(Servers::Cluster(members(hosts, user, PORT)?))
}

/// Returns user and password of a query in the form `USER:PASSWORD`.
fn credentials(query: &str) -> Result<String, BadUrl> {
    let (mut user, mut password) = ("", None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sentinel_username", value)) => user = value,
            Some(("sentinel_password", value)) => password = Some(value),
            _ => return Err(BadUrl("the only parameters are sentinel_username and sentinel_password".into())),
        }
    }
    Ok(password.map(|password| format!("{user}:{password}")).unwrap_or_default())
}

fn at(user: &str) -> String {
    if user.is_empty() { String::new() } else { format!("{user}@") }
}

/// Parses addresses that are separated by commas, for the same user.
fn members(hosts: &str, user: &str, port: u16) -> Result<Vec<ConnectionInfo>, BadUrl> {
    let member = |host: &str| match host {
        "" => Err(BadUrl("an address is missing".into())),
        host => info(&format!("redis://{}{}", at(user), with_port(host, port))),
    };
    hosts.split(',').map(member).collect()
}

fn info(url: &str) -> Result<ConnectionInfo, BadUrl> {
    url.into_connection_info().map_err(|error| BadUrl(error.to_string()))
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |members: &[ConnectionInfo]| {
            members.iter().map(|member| member.addr().to_string()).collect::<Vec<_>>().join(", ")
        };
        match &self.servers {
            Servers::Fixed(info) => write!(f, "{}", info.addr()),
            Servers::Sentinels(Sentinels { members, name, .. }) => {
                write!(f, "the master {name} of the Sentinels {}", list(members))
            }
            Servers::Cluster(seeds) => write!(f, "the cluster of {}", list(seeds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::RedisConnectionInfo;

    use super::*;

    fn topology(url: &str) -> Topology {
        url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn servers(url: &str) -> Servers {
        topology(url).servers
    }

    fn entry(info: &RedisConnectionInfo) -> (Option<&str>, Option<&str>) {
        (info.username(), info.password())
    }

    #[test]
    fn one_server_is_an_ordinary_redis_url() {
        let Servers::Fixed(info) = servers("redis://u:p%40w@10.0.0.1:6380/3") else { panic!("not fixed") };
        assert_eq!((info.addr().to_string().as_str(), info.redis_settings().db()), ("10.0.0.1:6380", 3));
        assert_eq!(entry(info.redis_settings()), (Some("u"), Some("p@w")));
    }

    #[test]
    fn sentinels_have_a_name_for_the_master_and_their_own_credentials() {
        let url = "redis+sentinel://u:pw@a:1,b,[::1]:3/mymaster?sentinel_password=s%2Fp";
        let Servers::Sentinels(Sentinels { members, name, entry: master }) = servers(url) else {
            panic!("no Sentinels")
        };
        let addresses: Vec<_> = members.iter().map(|info| info.addr().to_string()).collect();
        assert_eq!((addresses.join(" ").as_str(), name.as_str()), ("a:1 b:26379 ::1:3", "mymaster"));
        assert_eq!(entry(&master), (Some("u"), Some("pw")));
        assert!(members.iter().all(|info| entry(info.redis_settings()) == (None, Some("s/p"))));
        assert_eq!(topology(url).to_string(), "the master mymaster of the Sentinels a:1, b:26379, ::1:3");
    }

    #[test]
    fn members_of_a_cluster_have_the_same_user() {
        let Servers::Cluster(seeds) = servers("redis+cluster://:pw@a:1,b") else { panic!("no cluster") };
        assert_eq!(seeds[1].addr().to_string(), "b:6379");
        assert!(seeds.iter().all(|info| entry(info.redis_settings()) == (None, Some("pw"))));
    }

    #[test]
    fn an_invalid_url_is_refused_without_its_password_in_the_text() {
        for (url, says) in [
            ("127.0.0.1:6379", "redis://HOST:PORT"),
            ("http://:guess-me@a", "redis://HOST:PORT"),
            ("redis+sentinel://:guess-me@a:1", "/NAME"),
            ("redis+sentinel://:guess-me@a:1/", "/NAME"),
            ("redis+sentinel://a:1/m/0", "/NAME"),
            ("redis+sentinel://user:123/guess-me@a:1", "/NAME"),
            ("redis+sentinel://user:123/guess-me:1", "/NAME"),
            ("redis+sentinel://a:1/m?password=guess-me", "sentinel_password"),
            ("redis+sentinel://:guess-me@/m", "missing"),
            ("redis+cluster://:guess-me@a:1,", "missing"),
            ("redis+cluster://:guess-me@a:99999", "redis+cluster://"),
            ("redis+cluster://a:1/0", "no path"),
        ] {
            let error = url.parse::<Topology>().expect_err(url).to_string();
            assert!(error.contains(says) && !error.contains("guess-me"), "{url}: {error}");
        }
    }
}
