//! Which nodes Nginx may send to: a sorted set of typed addresses. This module does no I/O. What a lease says reaches
//! the configuration only as an address that the parser here accepted.

use std::{collections::BTreeSet, net::SocketAddr};

use ipnet::IpNet;
use muster_protocol::{
    address::{UnusableAddress, of_node},
    api::{NodeState, NodeView},
};

/// Addresses of nodes, each once and sorted, so that equal sets make equal files.
pub type Members = BTreeSet<SocketAddr>;

/// Why a lease is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaseRefusal {
    /// No node with the sidecar's secret wrote it.
    Foreign,
    /// The text is not what a node writes.
    NoLease,
    /// The address in the lease can't be used.
    Address(UnusableAddress),
}

impl LeaseRefusal {
    /// Every reason.
    pub const ALL: [Self; 4] = [
        Self::Foreign,
        Self::NoLease,
        Self::Address(UnusableAddress::NoAddress),
        Self::Address(UnusableAddress::NotAllowed),
    ];

    /// Returns the value of the label `reason` of the metric.
    pub fn label(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::NoLease => "no_lease",
            Self::Address(UnusableAddress::NoAddress) => "no_address",
            Self::Address(UnusableAddress::NotAllowed) => "not_allowed",
        }
    }
}

/// Returns the address of a node and whether the node drains. A draining node is a member too: it answers 503, on
/// which Nginx tries the next node, and no reload is needed.
pub fn address_of(view: &NodeView, allow: &[IpNet]) -> Result<(SocketAddr, bool), LeaseRefusal> {
    let address = of_node(&view.address, allow).map_err(LeaseRefusal::Address)?;
    Ok((address, view.state == NodeState::Draining))
}

/// The set of nodes to serve, and the members of it that have no lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MembershipDecision {
    /// The nodes to serve.
    pub next: Members,
    /// Nodes that have no lease and answer the probe: the registry lost the lease, and the node is alive.
    pub unleased: Members,
    /// Nodes that have no lease and do not answer, and stay because no node may leave now.
    pub withheld: Members,
}

/// Returns the set to serve after `served`. A node joins when it is `leased`. It leaves only if it has no lease and is
/// `dead`, which means that it does not answer the sidecar's probe either. No node leaves while the registry is not
/// trusted (`frozen`). The last nodes never leave, since an empty set serves nobody.
pub fn next(served: &Members, leased: &Members, dead: &Members, frozen: bool) -> MembershipDecision {
    let gone: Members = served.difference(leased).copied().collect();
    let unleased = gone.difference(dead).copied().collect();
    let silent: Members = gone.intersection(dead).copied().collect();
    let withheld = if frozen { silent.clone() } else { Members::new() };
    let stay = served.iter().filter(|member| !silent.contains(member) || withheld.contains(member));
    let next: Members = leased.iter().chain(stay).copied().collect();
    match next.is_empty() {
        true => MembershipDecision { next: served.clone(), unleased, withheld: silent },
        false => MembershipDecision { next, unleased, withheld },
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::{nodes_conf::parse_nodes, template::nodes};

    fn allow() -> Vec<IpNet> {
        ["127.0.0.0/8", "10.0.0.0/8", "fe80::/10"].iter().map(|net| net.parse().unwrap()).collect()
    }

    /// Returns the address in the lease of a node that says this of itself.
    fn read(address: &str) -> Result<(SocketAddr, bool), LeaseRefusal> {
        let view = serde_json::json!({
            "id": "n1", "address": address, "state": "ready", "sessions": 0, "version": "1", "started_at": "2030-01-01T00:00:00Z"
        });
        address_of(&serde_json::from_value(view).unwrap(), &allow())
    }

    #[test]
    fn only_addresses_in_allowed_networks_are_members() {
        assert_eq!(read("127.0.0.1:9000").unwrap().0.port(), 9000);
        assert_eq!(read("[fe80::1]:9000").unwrap().0.port(), 9000);
        assert_eq!(read("[::ffff:10.0.0.1]:9000").unwrap().0, "10.0.0.1:9000".parse().unwrap());
        for (address, refused) in [
            ("[::ffff:8.8.8.8]:80", UnusableAddress::NotAllowed),
            ("127.0.0.1:0", UnusableAddress::NoAddress),
            ("localhost:9000", UnusableAddress::NoAddress),
            ("127.0.0.1:9000; } server {", UnusableAddress::NoAddress),
            ("127.0.0.1:9000\n", UnusableAddress::NoAddress),
            ("[fe80::1%eth0]:9000", UnusableAddress::NoAddress),
            ("[fe80::1%7]:9000", UnusableAddress::NoAddress),
            ("8.8.8.8:80", UnusableAddress::NotAllowed),
            ("[::1]:9000", UnusableAddress::NotAllowed),
        ] {
            assert_eq!(read(address), Err(LeaseRefusal::Address(refused)), "{address:?}");
        }
    }

    #[test]
    fn whatever_leases_say_the_file_re_parses_to_the_typed_set() {
        let parts =
            ["127.0.0.1:9", "10.1.2.3:", "[fe80::1]:8", "1", "20", "300", "0", ";", " }", "\nserver {", "\"", "a.b"];
        let mut rng = rand::rng();
        let (mut believed, mut refused) = (Members::new(), 0);
        for _ in 0..10_000 {
            let length = rng.random_range(1..5);
            let text: String = (0..length).map(|_| parts[rng.random_range(0..parts.len())]).collect();
            match read(&text) {
                Ok((address, _)) => drop(believed.insert(address)),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 5_000 && believed.len() > 20, "the texts are worth trying: {refused} {believed:?}");
        assert_eq!(parse_nodes(&nodes(&believed, None, false).unwrap()), believed);
    }

    #[test]
    fn a_member_leaves_only_when_it_neither_holds_a_lease_nor_answers() {
        let set = |ports: &[u16]| -> Members { ports.iter().map(|port| ([127, 0, 0, 1], *port).into()).collect() };
        let after =
            |served: &[u16], leased: &[u16], dead: &[u16], frozen| next(&set(served), &set(leased), &set(dead), frozen);
        assert_eq!(after(&[1, 2], &[1, 3], &[2], false).next, set(&[1, 3]));
        let decision = after(&[1, 2], &[1], &[], false);
        assert_eq!((decision.next, decision.unleased), (set(&[1, 2]), set(&[2])));
        let frozen = after(&[1, 2], &[1, 3], &[2], true);
        assert_eq!((frozen.next, frozen.withheld), (set(&[1, 2, 3]), set(&[2])));
        assert_eq!(after(&[1, 2], &[], &[1, 2], false).next, set(&[1, 2]));
        assert_eq!(after(&[], &[], &[], false), MembershipDecision::default());
    }
}
