//! Which nodes Nginx may send to: a sorted set of typed addresses. Pure; whatever a node says about itself gets no further than
//! the parser here.

use std::{collections::BTreeSet, net::SocketAddr};

use ipnet::IpNet;
use muster_protocol::api::NodeView;

/// Addresses of nodes, without doubles and in one order, so that equal sets make equal files.
pub type Members = BTreeSet<SocketAddr>;

/// The longest lease that is looked at: twenty times what a node writes.
const LEASE_MAX: usize = 4096;

/// Why a lease is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Not what a node writes.
    NoLease,
    /// No IP:PORT that could be connected to.
    NoAddress,
    /// Outside of --allow.
    NotAllowed,
}

/// The address in a lease. Draining nodes are members too: they answer 503, and Nginx goes on to the next without a reload.
pub fn member(lease: &str, allow: &[IpNet]) -> Result<SocketAddr, Refused> {
    if lease.len() > LEASE_MAX {
        return Err(Refused::NoLease);
    }
    let view: NodeView = serde_json::from_str(lease).map_err(|_| Refused::NoLease)?;
    let address: SocketAddr = view.address.parse().map_err(|_| Refused::NoAddress)?;
    if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() {
        return Err(Refused::NoAddress);
    }
    if allow.iter().any(|net| net.contains(&address.ip())) { Ok(address) } else { Err(Refused::NotAllowed) }
}

/// The set that should be served, from the one that is and from what was just seen. A member leaves only if its lease is gone and
/// it does not answer either; and the last ones never leave, since an empty set serves nobody.
pub fn next(now: &Members, leased: &Members, answering: &Members) -> Members {
    let next: Members = leased.union(&now.intersection(answering).copied().collect()).copied().collect();
    if next.is_empty() { now.clone() } else { next }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    fn allow() -> Vec<IpNet> {
        vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]
    }

    fn lease(address: &str) -> String {
        let address = serde_json::Value::from(address);
        format!(
            r#"{{"id":"n1","address":{address},"state":"ready","sessions":0,"version":"1","started_at":"2030-01-01T00:00:00Z"}}"#
        )
    }

    #[test]
    fn only_addresses_in_allowed_networks_are_members() {
        assert_eq!(member(&lease("127.0.0.1:9000"), &allow()).unwrap().port(), 9000);
        for (address, refused) in [
            ("127.0.0.1:0", Refused::NoAddress),
            ("localhost:9000", Refused::NoAddress),
            ("127.0.0.1:9000; } server {", Refused::NoAddress),
            ("127.0.0.1:9000\n", Refused::NoAddress),
            ("8.8.8.8:80", Refused::NotAllowed),
            ("[::1]:9000", Refused::NotAllowed),
        ] {
            assert_eq!(member(&lease(address), &allow()), Err(refused), "{address:?}");
        }
        assert_eq!(member(&"x".repeat(10_000), &allow()), Err(Refused::NoLease));
    }

    #[test]
    fn no_random_text_becomes_anything_but_a_typed_address() {
        let alphabet: Vec<char> = "0123456789.:;{} \n\"\\[]ab".chars().collect();
        let mut rng = rand::rng();
        for _ in 0..10_000 {
            let length = rng.random_range(0..24);
            let text: String = (0..length).map(|_| alphabet[rng.random_range(0..alphabet.len())]).collect();
            if let Ok(address) = member(&lease(&text), &allow()) {
                assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }

    #[test]
    fn a_member_leaves_only_when_it_neither_holds_a_lease_nor_answers() {
        let set = |ports: &[u16]| -> Members { ports.iter().map(|port| ([127, 0, 0, 1], *port).into()).collect() };
        assert_eq!(next(&set(&[1, 2]), &set(&[1, 3]), &set(&[])), set(&[1, 3]));
        assert_eq!(next(&set(&[1, 2]), &set(&[1]), &set(&[2])), set(&[1, 2]));
        assert_eq!(next(&set(&[1, 2]), &set(&[]), &set(&[])), set(&[1, 2]));
        assert_eq!(next(&set(&[]), &set(&[]), &set(&[])), set(&[]));
    }
}
