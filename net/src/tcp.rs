//! Connects to the first address of a host that accepts.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout, timeout_at},
};

use crate::{ConnectError, lookup::lookup, source};

/// How long an address has before the next one is tried beside it, as RFC 8305 recommends. So an address that drops
/// packets costs a quarter of a second, and not all the time until the deadline.
const STAGGER: Duration = Duration::from_millis(250);

/// Connects to a host, and gives up at the deadline. Tries the addresses in turn, the next one when one fails or has
/// taken 250 ms. Returns the connection to the first that accepts, with `TCP_NODELAY` set.
pub async fn connect(
    host: &str,
    port: u16,
    source: Option<IpAddr>,
    deadline: Instant,
) -> Result<TcpStream, ConnectError> {
    let name = || if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut addresses = lookup(host, port, deadline).await?;
    addresses.retain(|address| source.is_none_or(|source| source.is_ipv4() == address.is_ipv4()));
    if addresses.is_empty() {
        return Err(ConnectError::NoAddress(host.to_owned()));
    }
    match timeout_at(deadline, first(addresses, |to| source::socket(to, source))).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(ConnectError::Refused(name(), error)),
        Err(_) => Err(ConnectError::Late(name())),
    }
}

/// Connects to the first of these addresses that accepts, by sockets that `socket` makes. Tries the addresses in turn
/// as [`connect`] does. If all fail, returns the error of the last one. Sets `TCP_NODELAY`.
pub async fn first(
    addresses: impl IntoIterator<Item = SocketAddr>,
    socket: impl Fn(SocketAddr) -> io::Result<TcpSocket>,
) -> io::Result<TcpStream> {
    let (mut addresses, mut attempts) = (addresses.into_iter(), FuturesUnordered::new());
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    loop {
        attempts.extend(addresses.next().map(|address| attempt(address, socket(address))));
        match timeout(STAGGER, attempts.next()).await {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => failure = error,
            Ok(None) => return Err(failure),
            Err(_) => {}
        }
    }
}

async fn attempt(address: SocketAddr, socket: io::Result<TcpSocket>) -> io::Result<TcpStream> {
    let stream = socket?.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    /// Returns a port on which nothing is accepted: the queue of its listener is full, so packets are dropped.
    async fn silent() -> (TcpListener, SocketAddr, Vec<TcpStream>) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut full = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
            full.push(stream.unwrap());
        }
        (listener, address, full)
    }

    #[tokio::test]
    async fn an_address_that_refuses_or_is_silent_does_not_hide_the_next() {
        let (_silent, silent, _full) = silent().await;
        let refuses = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let accepts = listener.local_addr().unwrap();
        let began = Instant::now();
        let stream = first([silent, refuses, accepts], |to| source::socket(to, None)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), accepts);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_host_that_is_silent_costs_no_more_than_the_bound() {
        let (_silent, silent, _full) = silent().await;
        let deadline = Instant::now() + Duration::from_millis(300);
        let error = connect("127.0.0.1", silent.port(), None, deadline).await.unwrap_err().to_string();
        assert_eq!(error, format!("127.0.0.1:{} did not answer in time", silent.port()));
    }

    #[tokio::test]
    async fn a_connection_comes_from_its_source_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let source: IpAddr = "127.0.0.7".parse().unwrap();
        let stream = connect("127.0.0.1", port, Some(source), soon()).await.unwrap();
        assert_eq!(stream.local_addr().unwrap().ip(), source);
        let other = connect("127.0.0.1", port, Some("::1".parse().unwrap()), soon()).await.unwrap_err();
        assert_eq!(other.to_string(), "127.0.0.1 has no address that can be used");
    }

    #[tokio::test]
    async fn errors_name_the_host() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let refused = connect("127.0.0.1", free, None, soon()).await.unwrap_err().to_string();
        assert!(refused.starts_with(&format!("127.0.0.1:{free}: Connection refused")), "{refused}");
        let unknown = connect("no.such.name.invalid", 1, None, soon()).await.unwrap_err().to_string();
        assert!(unknown.starts_with("the name no.such.name.invalid can't be looked up"), "{unknown}");
    }
}
