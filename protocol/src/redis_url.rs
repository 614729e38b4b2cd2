//! The address of the Redis that joins nodes and proxies.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_found_with_its_port() {
        assert_eq!(host("redis://node:p@redis:6380/1").as_deref(), Some("redis:6380"));
        assert_eq!(host("redis+cluster://10.0.0.1,b:2").as_deref(), Some("10.0.0.1:6379"));
        assert_eq!(host("redis://[::1]").as_deref(), Some("[::1]:6379"));
        assert_eq!((host("redis+unix:///run/redis.sock"), host("redis")), (None, None));
    }
}
