//! A DNS server for one name and one Nginx: answers which nodes there are, on a loopback address, by UDP and TCP. An
//! Nginx that asks each second needs no reload when the nodes change. [`answer`] chooses the records, [`wire`] reads
//! and writes messages, [`serve`] owns the sockets, and this file holds the set of nodes to answer with and the number
//! of the last set that Nginx was given.

pub mod answer;
#[cfg(test)]
mod fuzzing;
mod serve;
mod wire;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpListener, UdpSocket},
    sync::watch,
    task::JoinSet,
    time,
};

use self::{
    serve::{serve_datagrams, serve_streams},
    wire::{Query, Record},
};
use crate::{membership::Members, status::StatusServer};

/// How long [`DnsServer::wait_until_answered`] waits. Nginx asks each second, so an Nginx that has not asked in this
/// time does not ask at all.
const ANSWERED: Duration = Duration::from_secs(5);

/// A running server. It ends when this handle is dropped.
pub struct DnsServer {
    zone: Arc<DnsZone>,
    _sockets: JoinSet<()>,
}

/// The set of nodes to answer with, shared with the sockets.
struct DnsZone {
    announced: Mutex<AnnouncedSet>,
    /// The number of the last set of which Nginx got a whole answer.
    answered: watch::Sender<u64>,
    status: Arc<StatusServer>,
}

/// A set of nodes and its number, which grows with each change. `None`: it is unknown which nodes there are.
#[derive(Default)]
struct AnnouncedSet {
    set: Option<Members>,
    number: u64,
}

impl DnsServer {
    /// Starts a server at `address`. The server answers SERVFAIL until it gets a set. An error if it can't listen
    /// there.
    pub async fn serve(address: SocketAddr, status: Arc<StatusServer>) -> io::Result<Self> {
        let (datagrams, streams) = (UdpSocket::bind(address).await?, TcpListener::bind(address).await?);
        let zone = Arc::new(DnsZone { announced: Mutex::default(), answered: watch::Sender::new(0), status });
        let mut sockets = JoinSet::new();
        sockets.spawn(serve_datagrams(datagrams, zone.clone()));
        sockets.spawn(serve_streams(streams, zone.clone()));
        Ok(Self { zone, _sockets: sockets })
    }

    /// Answers with this set from now on; with `None`, answers SERVFAIL, on which Nginx keeps the nodes that it knows.
    pub fn announce(&self, set: Option<&Members>) {
        let mut announced = self.zone.announced.lock().unwrap_or_else(PoisonError::into_inner);
        if announced.set.as_ref() != set {
            *announced = AnnouncedSet { set: set.cloned(), number: announced.number + 1 };
        }
    }

    /// Waits until the current set was sent in an answer. Returns false if Nginx did not ask within 5 s.
    pub async fn wait_until_answered(&self) -> bool {
        let number = self.zone.announced.lock().unwrap_or_else(PoisonError::into_inner).number;
        let mut answered = self.zone.answered.subscribe();
        time::timeout(ANSWERED, answered.wait_for(|answered| *answered >= number))
            .await
            .is_ok_and(|answered| answered.is_ok())
    }
}

impl DnsZone {
    /// Returns the answer to a query of any bytes. The answer has at most `limit` bytes, or with `None` as many as the
    /// query allows; a longer one is truncated. Returns `None` for anything that is no query: two servers that answered
    /// each other's answers would never stop.
    fn answer(&self, request: &[u8], limit: Option<usize>) -> Option<Vec<u8>> {
        let query = Query::read(request)?;
        let (mut records, number) = {
            let announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
            (answer::records(&query, announced.set.as_ref()), announced.number)
        };
        let mut bytes = query.answer(records.as_deref().map_err(|failure| *failure));
        if bytes.len() > limit.unwrap_or(query.max_payload()) {
            // On a truncated answer Nginx asks again by TCP.
            bytes = query.truncated();
            records = Ok(Vec::new());
        }
        let code = records.as_ref().map_or_else(|failure| format!("{failure:?}"), |_| "NoError".into()).to_lowercase();
        self.status.metrics.dns_answers.with_label_values(&[&code]).inc();
        if records.is_ok_and(|records| records.iter().any(|record| matches!(record, Record::Service(..)))) {
            self.answered.send_replace(number);
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::{
        op::{Message, Query as Asked, ResponseCode},
        rr::{Name, RecordType},
    };
    use rand::RngExt;

    use super::*;

    pub fn set(nodes: u16) -> Members {
        (1..=nodes).map(|port| ([127, 0, 0, 1], port).into()).collect()
    }

    pub fn question() -> Vec<u8> {
        let mut request = Message::query();
        request.add_query(Asked::query(Name::from_ascii("_ws._tcp.muster.internal.").unwrap(), RecordType::SRV));
        request.to_vec().unwrap()
    }

    /// Starts a server at a port that is free for UDP and TCP.
    pub async fn serve() -> (DnsServer, SocketAddr) {
        loop {
            let address = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
            if let Ok(dns) = DnsServer::serve(address, Arc::default()).await {
                return (dns, address);
            }
        }
    }

    #[tokio::test]
    async fn no_query_gets_an_answer_without_nodes() {
        let (dns, _) = serve().await;
        dns.announce(Some(&set(3)));
        let (mut random, mut answered) = (rand::rng(), 0);
        for _ in 0..10_000 {
            let mut bytes = question();
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..bytes.len());
                bytes[at] = random.random();
            }
            let Some(answer) = dns.zone.answer(&bytes, None) else { continue };
            let answer = Message::from_vec(&answer).unwrap();
            let code = answer.metadata.response_code;
            let failed = ![ResponseCode::NoError, ResponseCode::NXDomain].contains(&code);
            assert!(answer.answers.len() == 3 || failed, "{bytes:?}: {answer}");
            answered += 1;
        }
        assert!(answered > 100, "{answered} were queries");
        let answer = dns.zone.answer(&question(), None).unwrap();
        assert!(dns.zone.answer(&answer, None).is_none(), "an answer is no query");
    }

    #[tokio::test]
    async fn a_set_counts_as_answered_once_it_was_sent_whole() {
        let (dns, _) = serve().await;
        dns.announce(Some(&set(300)));
        dns.zone.answer(&question(), None);
        assert_eq!(*dns.zone.answered.borrow(), 0, "a datagram had no room for it");
        dns.zone.answer(&question(), Some(u16::MAX.into()));
        assert!(dns.wait_until_answered().await);
        dns.announce(Some(&set(2)));
        time::pause();
        assert!(!dns.wait_until_answered().await, "there was no query");
    }
}
