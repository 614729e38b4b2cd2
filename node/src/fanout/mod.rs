//! From a command to the sockets of one shard. An [`Order`] brings a [`Parcel`], the command encoded once; what has piled up
//! becomes a [`Batch`], one write; a [`Lane`] walks its sockets with it; a [`Socket`] that would block gets a [`queue`].

mod lane;
mod order;
mod parcel;
mod queue;
mod socket;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

use muster_protocol::{CommandId, api::Protocol};
use prometheus::IntCounter;
use slab::Slab;
use tokio::net::TcpStream;

pub use order::{Arrival, MAILBOX, Order, Place};
pub use parcel::{Batch, Parcel};
pub use socket::Socket;

use self::lane::{Lane, Walk};
use crate::{card::Card, end::End, reports::Reports};

/// The sockets of one shard. Belongs to its thread: nothing here is locked and nothing awaits.
#[derive(Debug)]
pub struct Sockets {
    seats: RefCell<Slab<Rc<Socket>>>,
    v1: Rc<Lane>,
    plain: Rc<Lane>,
    /// The number of the last command that was sent to anyone.
    reached: Rc<Cell<u64>>,
    queue_limit: usize,
    reports: Arc<Reports>,
    delivered: IntCounter,
}

impl Sockets {
    /// No sockets yet. `queue_limit`: what one socket may be owed, in bytes.
    pub fn new(queue_limit: usize, reports: Arc<Reports>, delivered: IntCounter) -> Self {
        let (seats, reached) = Default::default();
        Self { seats, v1: Rc::default(), plain: Rc::default(), reached, queue_limit, reports, delivered }
    }

    /// Takes a socket in, held: from now on what is for it waits. Its key, for targeted orders.
    pub fn enter(&self, card: Arc<Card>, stream: TcpStream) -> (usize, Rc<Socket>) {
        let lane = self.lane(card.protocol).clone();
        let socket = Rc::new(Socket::new(card, stream, lane, self.reached.clone(), self.queue_limit));
        socket.lane.push(socket.clone());
        (self.seats.borrow_mut().insert(socket.clone()), socket)
    }

    /// Lets a socket go.
    pub fn leave(&self, key: usize) {
        let socket = self.seats.borrow_mut().remove(key);
        socket.lane.remove(&socket);
    }

    /// How many sockets there are.
    pub fn len(&self) -> usize {
        self.seats.borrow().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends these commands to every socket.
    pub fn broadcast(&self, parcels: &[Arc<Parcel>]) {
        let Some(last) = parcels.last() else { return };
        self.reach(last.number);
        for (lane, protocol) in [(&self.v1, Protocol::V1), (&self.plain, Protocol::Plain)] {
            if lane.is_empty() {
                continue;
            }
            for batch in Batch::of(parcels, protocol) {
                let Walk { whole, single } = lane.send_all(&batch);
                self.delivered.inc_by(single.len() as u64);
                single.into_iter().for_each(|(command, terminal)| self.reports.sent(command, terminal, protocol));
                for command in batch.commands(0, usize::MAX) {
                    self.delivered.inc_by(whole.len() as u64);
                    self.reports.sent_to_all(command, whole.clone(), protocol);
                }
            }
        }
    }

    /// Sends a command to the session at `place`, if it still sits there.
    pub fn send(&self, place: Place, parcel: &Arc<Parcel>) {
        self.reach(parcel.number);
        let Some(socket) = self.at(place) else { return };
        for batch in Batch::of(std::slice::from_ref(parcel), socket.protocol()) {
            self.sent(&socket, socket.send(&batch));
        }
    }

    /// Sends to the session at `place` without regard to what it has had: nothing is stored, and nothing is reported.
    pub fn direct(&self, place: Place, parcel: &Arc<Parcel>) {
        let Some(socket) = self.at(place) else { return };
        for batch in Batch::of(std::slice::from_ref(parcel), socket.protocol()) {
            socket.say(&batch);
        }
    }

    /// Sends to a session what it has missed, past everything that waits for it while it is held.
    pub fn make_up(&self, socket: &Socket, parcel: &Arc<Parcel>) {
        for batch in Batch::of(std::slice::from_ref(parcel), socket.protocol()) {
            self.sent(socket, socket.say(&batch));
        }
    }

    /// A session has had everything up to `number`, and takes what comes.
    pub fn release(&self, socket: &Socket, number: u64) {
        self.sent(socket, socket.release(number));
    }

    /// Sends what a socket is owed, as far as it takes it.
    pub fn flush(&self, socket: &Socket) {
        self.sent(socket, socket.flush());
    }

    /// Has every session join again.
    pub fn rejoin(&self) {
        let sockets: Vec<_> = self.seats.borrow().iter().map(|(_, socket)| socket.clone()).collect();
        sockets.iter().for_each(|socket| socket.ask_to_rejoin());
    }

    /// Has the session at `place` join again, if it still sits there.
    pub fn rejoin_one(&self, place: Place) {
        if let Some(socket) = self.at(place) {
            socket.ask_to_rejoin();
        }
    }

    /// Ends the session at `place`, if it still sits there.
    pub fn end(&self, place: Place, end: End) {
        if let Some(socket) = self.at(place) {
            socket.end(end);
        }
    }

    /// Pings one part of the sockets, so that over `parts` calls each is pinged once. By their keys, which stay: by their rows,
    /// which others take when they leave, some would be passed over.
    pub fn ping(&self, part: usize, parts: usize) {
        let batch = Batch::bare(crate::wire::ping());
        let seats = self.seats.borrow();
        let sockets: Vec<_> =
            (part..seats.capacity()).step_by(parts).filter_map(|key| seats.get(key).cloned()).collect();
        drop(seats);
        sockets.iter().for_each(|socket| socket.ping(&batch));
    }

    fn sent(&self, socket: &Socket, commands: Vec<CommandId>) {
        for command in commands {
            self.delivered.inc();
            self.reports.sent(command, socket.card.terminal.clone(), socket.protocol());
        }
    }

    fn reach(&self, number: u64) {
        self.reached.set(self.reached.get().max(number));
    }

    fn at(&self, place: Place) -> Option<Rc<Socket>> {
        let seats = self.seats.borrow();
        seats.get(place.key).filter(|socket| socket.card.session == place.session).cloned()
    }

    fn lane(&self, protocol: Protocol) -> &Rc<Lane> {
        match protocol {
            Protocol::V1 => &self.v1,
            Protocol::Plain => &self.plain,
        }
    }
}
