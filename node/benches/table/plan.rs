//! What a round of the table measures, in its order.

use crate::{
    row::{Measurement, TableRow},
    rows::{
        blast::{self, FullBlast},
        bursts::{self, BurstMemory},
        delivery::{self, DeliveryCost},
        growth::{self, Growth},
        handshakes::{self, HandshakeCost, HandshakeRate},
        last::{self, LastReceives},
        memory::{self, IdleMemory},
        single::{self, NodeToNode},
        user_cpu::{self, UserCpu},
    },
    stage::Subject,
    subjects::{
        chain::{BareBehindNginx, NodeBehindNginx},
        floor::{DeliveryFloor, HandshakeFloor},
        node::{NodeSubject, VerifyingNode},
        peer::Peer,
        two_nodes::TwoNodes,
    },
};

/// The most terminals behind Nginx, which needs two files for each.
const BEHIND_NGINX_MAX: usize = 6_000;
/// The terminals of a stage whose measurement starts its servers itself.
const NEXT_TO_NONE: usize = 10;

/// A server, the number of its terminals, and what is measured of it.
pub struct Visit {
    /// The server.
    pub subject: Box<dyn Subject>,
    /// Its terminals.
    pub terminals: usize,
    /// What is measured, in this order. Handshakes come last: they leave terminals that are away, for which commands are stored.
    pub measurements: Vec<Box<dyn Measurement>>,
}

/// All rows, in no order.
pub fn all_rows() -> Vec<&'static TableRow> {
    let lists = [
        delivery::ROWS,
        user_cpu::ROWS,
        memory::ROWS,
        bursts::ROWS,
        handshakes::ROWS,
        handshakes::TOKEN_ROWS,
        handshakes::RATE_ROWS,
        last::ROWS,
        blast::ROWS,
        single::ROWS,
        growth::ROWS,
    ];
    lists.into_iter().flatten().collect()
}

/// The visits of a round, the floor's first.
pub fn visits(terminals: usize, peers: &[Peer]) -> Vec<Visit> {
    let [node, v1, tracked, stored, stored_tracked] = NodeSubject::all();
    let mut visits = vec![
        visit(DeliveryFloor, terminals, whole(vec![])),
        visit(HandshakeFloor, 0, vec![handshakes(false), handshakes(true)]),
        visit(node, terminals, whole(vec![Box::new(UserCpu), Box::new(BurstMemory), handshakes(false)])),
        visit(VerifyingNode, 0, vec![handshakes(true)]),
        visit(v1, terminals, whole(vec![Box::new(BurstMemory)])),
        visit(tracked, terminals, vec![Box::new(DeliveryCost)]),
        visit(stored, terminals, whole(vec![Box::new(BurstMemory), handshakes(false)])),
        visit(stored_tracked, terminals, vec![Box::new(IdleMemory), Box::new(DeliveryCost), Box::new(BurstMemory)]),
        visit(
            NodeBehindNginx,
            terminals.min(BEHIND_NGINX_MAX),
            vec![Box::new(DeliveryCost), Box::new(HandshakeRate), handshakes(false)],
        ),
        visit(BareBehindNginx, 0, vec![Box::new(HandshakeRate), handshakes(false)]),
        visit(TwoNodes, 1, vec![Box::new(NodeToNode)]),
        visit(DeliveryFloor, NEXT_TO_NONE, vec![Box::new(Growth)]),
        visit(NodeSubject::plain(), NEXT_TO_NONE, vec![Box::new(Growth)]),
    ];
    let of_peer = |peer: &Peer| visit(*peer, terminals, whole(vec![Box::new(UserCpu), handshakes(false)]));
    visits.extend(peers.iter().map(of_peer));
    visits
}

fn visit(subject: impl Subject + 'static, terminals: usize, measurements: Vec<Box<dyn Measurement>>) -> Visit {
    Visit { subject: Box::new(subject), terminals, measurements }
}

fn handshakes(with_token: bool) -> Box<dyn Measurement> {
    Box::new(HandshakeCost { with_token })
}

/// Deliveries and memory, and then more.
fn whole(more: Vec<Box<dyn Measurement>>) -> Vec<Box<dyn Measurement>> {
    let mut all: Vec<Box<dyn Measurement>> =
        vec![Box::new(IdleMemory), Box::new(DeliveryCost), Box::new(LastReceives), Box::new(FullBlast)];
    all.extend(more);
    all
}
