//! Placement: which node should take a handshake. The rules are pure functions of session counts that are a few seconds
//! old. Every node judges by the same rules, so no two nodes send a handshake to each other, and none needs a second
//! redirect.

use std::net::SocketAddr;

use jiff::Timestamp;
use muster_protocol::TerminalId;
use ring::digest::{SHA256, digest};

use crate::config::Placement;

/// The least difference in sessions that counts as clearly fewer. With a smaller one, a few handshakes under way would
/// have the next handshakes sent on for nothing.
const MARGIN_MIN: u64 = 8;
/// The least difference as a part (1/20) of the sessions that a node holds.
const MARGIN_PART: u64 = 20;

/// A node that could take the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The node's advertised address.
    pub address: SocketAddr,
    /// The number of sessions that the node holds, as far as this node knows.
    pub sessions: u64,
    /// When the node started.
    pub started_at: Timestamp,
    /// Whether the node will soon drain, and would then send this session away again; or takes no sessions because of a
    /// shortage.
    pub leaving: bool,
}

/// Returns the node that should take the terminal's handshake instead of `me`; none if `me` should.
pub fn choose(rule: Placement, terminal: &TerminalId, me: &Candidate, others: &[Candidate]) -> Option<SocketAddr> {
    let mut all: Vec<_> = others.iter().chain([me]).copied().collect();
    // A session on a node that is leaving would have to move again.
    if all.iter().any(|candidate| !candidate.leaving) {
        all.retain(|candidate| !candidate.leaving);
    }
    match rule {
        Placement::Balance => balance(me, &all),
        Placement::Sticky => {
            let addresses = all.iter().map(|candidate| candidate.address);
            addresses.max_by_key(|address| weight(*address, terminal)).filter(|owner| *owner != me.address)
        }
    }
}

/// Returns the node with the least burden; none if `me` has no more. A node that started later than `me` may hold a
/// margin more sessions; one that started earlier must hold a margin less. The reason is a rolling restart: the older
/// nodes are next, and a session that went to one of them would have to move again. Of two nodes only one is the
/// younger, so no handshake is sent to and fro.
fn balance(me: &Candidate, all: &[Candidate]) -> Option<SocketAddr> {
    let margin = (me.sessions / MARGIN_PART).max(MARGIN_MIN) as i64;
    let burden = |other: &Candidate| match other.started_at > me.started_at {
        true => other.sessions as i64 - margin,
        false => other.sessions as i64 + margin,
    };
    let lightest = all.iter().filter(|other| other.address != me.address).min_by_key(|other| burden(other))?;
    let stays = all.iter().any(|candidate| candidate.address == me.address);
    (!stays || burden(lightest) < me.sessions as i64).then_some(lightest.address)
}

/// Returns the weight of a node for a terminal (rendezvous hashing): the node with the greatest weight owns the
/// terminal's id. A new node takes its part from each of the others, and nothing moves between the others. The weight
/// is a hash of the node's address, which a restart does not change, and of the id. The hash is the same in every
/// version of Muster.
fn weight(address: SocketAddr, terminal: &TerminalId) -> [u8; 32] {
    let hash = digest(&SHA256, format!("{address} {terminal}").as_bytes());
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(port: u16, sessions: u64, started: i64) -> Candidate {
        Candidate {
            address: ([127, 0, 0, 1], port).into(),
            sessions,
            started_at: Timestamp::from_second(started).unwrap(),
            leaving: false,
        }
    }

    fn terminal(number: usize) -> TerminalId {
        format!("t{number}").parse().unwrap()
    }

    /// Deals handshakes in turn to nodes that know all counts. Returns the counts.
    fn deal(mut nodes: Vec<Candidate>, handshakes: usize) -> Vec<u64> {
        for number in 0..handshakes {
            let me = nodes[number % nodes.len()];
            let others: Vec<_> = nodes.iter().filter(|node| node.address != me.address).copied().collect();
            let to = choose(Placement::Balance, &terminal(number), &me, &others).unwrap_or(me.address);
            nodes.iter_mut().find(|node| node.address == to).unwrap().sessions += 1;
        }
        nodes.iter().map(|node| node.sessions).collect()
    }

    #[test]
    fn a_new_node_fills_up_and_then_all_are_even() {
        let counts = deal(vec![node(1, 1000, 1), node(2, 1000, 2), node(3, 0, 3)], 1000);
        assert!(counts[2] >= 950, "{counts:?}");
        let counts = deal(vec![node(1, 1000, 1), node(2, 1000, 2), node(3, 0, 3)], 10_000);
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= most / 8, "{counts:?}");
    }

    #[test]
    fn a_difference_within_the_margin_moves_nobody_to_an_older_node_and_never_both_ways() {
        let (old, young) = (node(1, 1000, 1), node(2, 1049, 2));
        let choose = |me: &Candidate, other| super::choose(Placement::Balance, &terminal(1), me, &[other]);
        assert_eq!(choose(&old, young), Some(young.address));
        assert_eq!(choose(&young, old), None);
        assert_eq!(choose(&old, node(2, 1060, 2)), None);
        assert_eq!(choose(&node(2, 1060, 2), old), Some(old.address));
        assert_eq!(super::choose(Placement::Balance, &terminal(1), &old, &[]), None);
    }

    #[test]
    fn nobody_goes_to_a_node_that_leaves_while_another_stays() {
        let leaving = |port, sessions| Candidate { leaving: true, ..node(port, sessions, 1) };
        for placement in [Placement::Balance, Placement::Sticky] {
            let choose = |me: &Candidate, other| super::choose(placement, &terminal(1), me, &[other]);
            assert_eq!(choose(&leaving(1, 0), node(2, 1000, 1)), Some(node(2, 0, 0).address));
            assert_eq!(choose(&node(2, 1000, 1), leaving(1, 0)), None);
        }
        let choose = |me: &Candidate, other| super::choose(Placement::Balance, &terminal(1), me, &[other]);
        assert_eq!(choose(&leaving(1, 1000), leaving(2, 0)), Some(node(2, 0, 0).address), "all leave");
    }

    #[test]
    fn an_id_has_one_owner_whoever_is_asked_and_a_new_node_takes_only_its_share() {
        let nodes: Vec<_> = (1..=3).map(|port| node(port, 0, 1)).collect();
        let owner = |number, nodes: &[Candidate], asked: usize| {
            let others: Vec<_> = nodes.iter().filter(|node| *node != &nodes[asked]).copied().collect();
            choose(Placement::Sticky, &terminal(number), &nodes[asked], &others).unwrap_or(nodes[asked].address)
        };
        let more = [&nodes[..], &[node(4, 0, 1)]].concat();
        let mut moved = 0;
        for number in 0..4000 {
            let before = owner(number, &nodes, 0);
            assert!((1..3).all(|asked| owner(number, &nodes, asked) == before));
            let after = owner(number, &more, 0);
            assert!(after == before || after.port() == 4);
            moved += usize::from(after != before);
        }
        assert!((800..1200).contains(&moved), "{moved} of 4000");
    }
}
