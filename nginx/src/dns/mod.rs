//! DNS for one name and one Nginx: tells which nodes there are, on a loopback address, by UDP and TCP. An Nginx that asks each second
//! needs no reload when they change. [`answer`] has the answers, [`serve`] the sockets; here is what is to be told, and what was.

pub mod answer;
mod serve;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hickory_proto::op::{Message, MessageType};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::watch,
    task::JoinSet,
    time,
};

use self::serve::{serve_datagrams, serve_streams};
use crate::{membership::Members, status::StatusServer};

/// Nginx asks each second; one that has not asked for so long does not ask.
const HEARD: Duration = Duration::from_secs(5);

/// The running server. It ends when this is dropped.
pub struct DnsServer {
    zone: Arc<DnsZone>,
    _sockets: JoinSet<()>,
}

/// What is to be told, and what was.
struct DnsZone {
    wanted: Mutex<Wanted>,
    /// The number of the last set that was told.
    told: watch::Sender<u64>,
    status: Arc<StatusServer>,
}

#[derive(Default)]
struct Wanted {
    set: Option<Members>,
    number: u64,
}

impl DnsServer {
    /// Answers there from now on; a failure, until it is told what else.
    pub async fn serve(address: SocketAddr, status: Arc<StatusServer>) -> io::Result<Self> {
        let (datagrams, streams) = (UdpSocket::bind(address).await?, TcpListener::bind(address).await?);
        let zone = Arc::new(DnsZone { wanted: Mutex::default(), told: watch::Sender::new(0), status });
        let mut sockets = JoinSet::new();
        sockets.spawn(serve_datagrams(datagrams, zone.clone()));
        sockets.spawn(serve_streams(streams, zone.clone()));
        Ok(Self { zone, _sockets: sockets })
    }

    /// Tells this set from now on; none: that nobody can say.
    pub fn tell(&self, set: Option<&Members>) {
        let mut wanted = self.zone.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted.set.as_ref() != set {
            *wanted = Wanted { set: set.cloned(), number: wanted.number + 1 };
        }
    }

    /// Waits until the last set was told. False if nobody asked in time.
    pub async fn heard(&self) -> bool {
        let number = self.zone.wanted.lock().unwrap_or_else(PoisonError::into_inner).number;
        let mut told = self.zone.told.subscribe();
        time::timeout(HEARD, told.wait_for(|told| *told >= number)).await.is_ok_and(|told| told.is_ok())
    }
}

impl DnsZone {
    /// The answer to a question that may have any bytes, in at most `limit` bytes or in as many as the question allows; none to what is
    /// no question: two servers that answered each other's answers would never end.
    fn answer(&self, request: &[u8], limit: Option<usize>) -> Option<Vec<u8>> {
        let request = Message::from_vec(request).ok().filter(|it| it.metadata.message_type == MessageType::Query)?;
        let (mut answer, number) = {
            let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            (answer::answer(&request, wanted.set.as_ref()), wanted.number)
        };
        let mut bytes = answer.to_vec().ok()?;
        if bytes.len() > limit.unwrap_or(request.max_payload().into()) {
            // Nginx asks again by TCP.
            answer = answer.truncate();
            bytes = answer.to_vec().ok()?;
        }
        let code = format!("{:?}", answer.metadata.response_code).to_lowercase();
        self.status.metrics.dns_answers.with_label_values(&[&code]).inc();
        if answer::tells(&answer) {
            self.told.send_replace(number);
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::{
        op::{Query, ResponseCode},
        rr::{Name, RecordType},
    };
    use rand::RngExt;

    use super::*;

    pub fn set(nodes: u16) -> Members {
        (1..=nodes).map(|port| ([127, 0, 0, 1], port).into()).collect()
    }

    pub fn question() -> Vec<u8> {
        let mut request = Message::query();
        request.add_query(Query::query(Name::from_ascii("_ws._tcp.muster.internal.").unwrap(), RecordType::SRV));
        request.to_vec().unwrap()
    }

    /// A server at a port that is free for both.
    pub async fn serve() -> (DnsServer, SocketAddr) {
        loop {
            let address = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
            if let Ok(dns) = DnsServer::serve(address, Arc::default()).await {
                return (dns, address);
            }
        }
    }

    #[tokio::test]
    async fn whatever_comes_in_no_answer_empties_the_set() {
        let (dns, _) = serve().await;
        dns.tell(Some(&set(3)));
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
        assert!(answered > 100, "{answered} were questions");
        let answer = dns.zone.answer(&question(), None).unwrap();
        assert!(dns.zone.answer(&answer, None).is_none(), "an answer is no question");
    }

    #[tokio::test]
    async fn a_set_is_heard_once_it_was_told_whole() {
        let (dns, _) = serve().await;
        dns.tell(Some(&set(300)));
        dns.zone.answer(&question(), None);
        assert_eq!(*dns.zone.told.borrow(), 0, "a datagram had no room for it");
        dns.zone.answer(&question(), Some(u16::MAX.into()));
        assert!(dns.heard().await);
        dns.tell(Some(&set(2)));
        time::pause();
        assert!(!dns.heard().await, "nobody asked");
    }
}
