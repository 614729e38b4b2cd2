//! The hub: this node's table of sessions, by terminal. Passive: no task, only a lock, never held across an await. The fan-out
//! to all does not come here; it goes to each shard's mailbox, and the shards know their sockets.
//!
//! Leaving compares session ids under the lock: a late goodbye never evicts the terminal that came back.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use muster_protocol::{SessionId, TerminalId, inbox::DrainRequest};
use rustc_hash::FxHashMap;
use tokio::sync::{mpsc, oneshot};

use crate::{
    card::Card,
    end::End,
    fanout::{Arrival, Order, Parcel, Place},
    fence::Fence,
    standing::Standing,
};

/// The table and the mailboxes of the shards.
#[derive(Debug)]
pub struct Hub {
    /// Whether this node may act as the owner of its sessions.
    pub fence: Fence,
    /// Whether it takes new ones.
    pub standing: Standing,
    seats: Mutex<FxHashMap<TerminalId, Seat>>,
    shards: Vec<mpsc::Sender<Order>>,
    next: AtomicUsize,
    departures: mpsc::Sender<DrainRequest>,
}

#[derive(Debug, Clone)]
struct Seat {
    place: Place,
    card: Arc<Card>,
}

impl Hub {
    /// An empty table over these shards. Whoever is asked to send sessions away gets it from `departures`.
    pub fn new(shards: Vec<mpsc::Sender<Order>>, departures: mpsc::Sender<DrainRequest>) -> Self {
        Self {
            fence: Fence::default(),
            standing: Standing::default(),
            seats: Mutex::default(),
            shards,
            next: AtomicUsize::new(0),
            departures,
        }
    }

    /// Hands a connection to the shard whose turn it is. False while the node stops.
    pub async fn adopt(&self, arrival: Arrival) -> bool {
        let shard = self.next.fetch_add(1, Ordering::Relaxed) % self.shards.len();
        self.shards[shard].send(Order::Adopt(Box::new(arrival))).await.is_ok()
    }

    /// Seats a session; of two of one terminal the newer stays. The place of the one that must end, which may be this one.
    pub fn enter(&self, card: Arc<Card>, place: Place) -> Option<Place> {
        let mut seats = self.seats();
        match seats.get(&card.terminal) {
            Some(seat) if seat.place.session > place.session => Some(place),
            _ => seats.insert(card.terminal.clone(), Seat { place, card }).map(|older| older.place),
        }
    }

    /// Frees the seat, if it is still this session's.
    pub fn leave(&self, terminal: &TerminalId, session: SessionId) {
        let mut seats = self.seats();
        if seats.get(terminal).is_some_and(|seat| seat.place.session == session) {
            seats.remove(terminal);
        }
    }

    /// Ends the session at `place`.
    pub async fn end(&self, place: Place, end: End) {
        // A shard that has stopped has no sessions to end.
        let _ = self.shards[place.shard].send(Order::End(place, end)).await;
    }

    /// Ends this very session, if it is here: its terminal has another on another node.
    pub async fn replace(&self, terminal: &TerminalId, session: SessionId) {
        let place = self.seats().get(terminal).map(|seat| seat.place);
        if let Some(place) = place.filter(|place| place.session == session) {
            self.end(place, End::Replaced).await;
        }
    }

    /// Ends the terminal's session, if it has one here.
    pub async fn dismiss(&self, terminal: &TerminalId, end: End) {
        let place = self.seats().get(terminal).map(|seat| seat.place);
        if let Some(place) = place {
            self.end(place, end).await;
        }
    }

    /// Sends to every session of this node.
    pub async fn broadcast(&self, parcel: Arc<Parcel>) {
        for shard in &self.shards {
            let _ = shard.send(Order::Broadcast(parcel.clone())).await;
        }
    }

    /// Sends to those of these terminals whose sessions are here.
    pub async fn send(&self, terminals: &[TerminalId], parcel: Arc<Parcel>) {
        let places: Vec<_> = {
            let seats = self.seats();
            terminals.iter().filter_map(|terminal| seats.get(terminal)).map(|seat| seat.place).collect()
        };
        for place in places {
            let _ = self.shards[place.shard].send(Order::Send(place, parcel.clone())).await;
        }
    }

    /// Sends to a terminal whose session is here, whatever its place in the order. False if it is not here.
    pub async fn direct(&self, terminal: &TerminalId, parcel: Arc<Parcel>) -> bool {
        let place = self.seats().get(terminal).map(|seat| seat.place);
        let Some(place) = place else { return false };
        self.shards[place.shard].send(Order::Direct(place, parcel)).await.is_ok()
    }

    /// Has every session of this node join again. Returns once each shard has begun with it, and so is done with all that waited in
    /// its mailbox before.
    pub async fn rejoin(&self) {
        let mut begun = Vec::new();
        for shard in &self.shards {
            let (begin, has_begun) = oneshot::channel();
            let _ = shard.send(Order::Rejoin(begin)).await;
            begun.push(has_begun);
        }
        for has_begun in begun {
            // One that has stopped sends nothing.
            let _ = has_begun.await;
        }
    }

    /// Has one session join again; false if it is not here.
    pub async fn rejoin_session(&self, terminal: &TerminalId, session: SessionId) -> bool {
        let place = self.seats().get(terminal).map(|seat| seat.place).filter(|place| place.session == session);
        let Some(place) = place else { return false };
        self.shards[place.shard].send(Order::RejoinOne(place)).await.is_ok()
    }

    /// Asks the node to send sessions away. Asked for more than it can take up, it forgets: whoever asked will see, and ask again.
    pub fn ask(&self, departure: DrainRequest) {
        if self.departures.try_send(departure).is_err() {
            tracing::warn!("too many departures at once; one was not taken up");
        }
    }

    /// Where the sessions sit whose cards are of this kind.
    pub fn places(&self, of_kind: impl Fn(&Card) -> bool) -> Vec<Place> {
        self.seats().values().filter(|seat| of_kind(&seat.card)).map(|seat| seat.place).collect()
    }

    /// Whether a terminal's session is here.
    pub fn has(&self, terminal: &TerminalId) -> bool {
        self.seats().contains_key(terminal)
    }

    /// Who is here.
    pub fn cards(&self) -> Vec<Arc<Card>> {
        self.seats().values().map(|seat| seat.card.clone()).collect()
    }

    /// How many are here.
    pub fn len(&self) -> usize {
        self.seats().len()
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn seats(&self) -> MutexGuard<'_, FxHashMap<TerminalId, Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use muster_protocol::api::Protocol;
    use uuid::Uuid;

    use super::*;

    fn seat(hub: &Hub, session: SessionId) -> Option<Place> {
        let card = Card {
            terminal: "t1".parse().unwrap(),
            session,
            protocol: Protocol::V1,
            labels: Default::default(),
            address: "127.0.0.1".into(),
            edge: None,
            connected_at: Timestamp::now(),
        };
        hub.enter(Arc::new(card), Place { shard: 0, key: 0, session })
    }

    #[test]
    fn the_newer_session_stays_in_whichever_order_they_come() {
        let (older, newer) = (SessionId(Uuid::now_v7()), SessionId(Uuid::now_v7()));
        let hub = Hub::new(Vec::new(), mpsc::channel(1).0);
        assert_eq!(seat(&hub, older), None);
        assert_eq!(seat(&hub, newer).unwrap().session, older);
        assert_eq!(seat(&hub, older).unwrap().session, older);
    }

    #[test]
    fn a_late_goodbye_does_not_evict_the_one_that_came_back() {
        let (older, newer) = (SessionId(Uuid::now_v7()), SessionId(Uuid::now_v7()));
        let hub = Hub::new(Vec::new(), mpsc::channel(1).0);
        seat(&hub, older);
        seat(&hub, newer);
        hub.leave(&"t1".parse().unwrap(), older);
        assert_eq!(hub.len(), 1);
        hub.leave(&"t1".parse().unwrap(), newer);
        assert!(hub.is_empty());
    }

    #[tokio::test]
    async fn sessions_join_again_only_when_the_shards_are_done_with_what_waited() {
        let (shard, mut mailbox) = mpsc::channel(2);
        let hub = Hub::new(vec![shard], mpsc::channel(1).0);
        let mut rejoin = std::pin::pin!(hub.rejoin());
        assert!(futures_util::poll!(&mut rejoin).is_pending());
        let Some(Order::Rejoin(begun)) = mailbox.recv().await else { panic!("another order") };
        assert!(futures_util::poll!(&mut rejoin).is_pending());
        begun.send(()).unwrap();
        rejoin.await;
        drop(mailbox);
        hub.rejoin().await;
    }
}
