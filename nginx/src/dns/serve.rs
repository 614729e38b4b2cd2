//! The sockets of [`DnsServer`](super::DnsServer): UDP, and TCP for answers that do not fit a datagram. No input closes
//! the sockets.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
    time,
};

use super::DnsZone;

/// The largest number of TCP connections; others wait. Nginx needs one for each worker.
const STREAMS: usize = 16;
/// How long a query and its answer may take on a TCP connection. After this time the server closes it.
const EXCHANGE: Duration = Duration::from_secs(10);
/// The longest query that is read from a datagram, in bytes; the rest is cut off. A name has at most 255 bytes.
const QUERY_MAX: usize = 1024;
/// The wait after an error of a socket, which may last.
const RETRY: Duration = Duration::from_millis(100);

/// Answers datagrams until the server ends.
pub async fn serve_datagrams(socket: UdpSocket, zone: Arc<DnsZone>) {
    let mut question = [0; QUERY_MAX];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut question).await else {
            time::sleep(RETRY).await;
            continue;
        };
        if let Some(answer) = zone.answer(&question[..length], None) {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

/// Answers TCP connections until the server ends.
pub async fn serve_streams(listener: TcpListener, zone: Arc<DnsZone>) {
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if streams.len() < STREAMS => match accepted {
                Ok((stream, _)) => drop(streams.spawn(serve_stream(stream, zone.clone()))),
                Err(_) => time::sleep(RETRY).await,
            },
            Some(_) = streams.join_next() => {}
        }
    }
}

/// Answers the queries of one connection, each with its length before it, until none comes for 10 s.
async fn serve_stream(mut stream: TcpStream, zone: Arc<DnsZone>) -> io::Result<()> {
    loop {
        time::timeout(EXCHANGE, exchange(&mut stream, &zone)).await??;
    }
}

async fn exchange(stream: &mut TcpStream, zone: &DnsZone) -> io::Result<()> {
    let question = read_message(stream).await?;
    let answer = zone.answer(&question, Some(u16::MAX.into())).ok_or(io::ErrorKind::InvalidData)?;
    let length = (answer.len() as u16).to_be_bytes();
    stream.write_all(&[&length[..], &answer].concat()).await
}

/// Reads a message with its length before it: at most 64 KiB.
pub async fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use hickory_proto::op::{Message, ResponseCode};

    use super::{
        super::tests::{question, serve, set},
        *,
    };

    async fn by_udp(server: SocketAddr) -> Message {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(b"no question", server).await.unwrap();
        socket.send_to(&question(), server).await.unwrap();
        let mut answer = [0; 4096];
        let length = socket.recv(&mut answer).await.unwrap();
        Message::from_vec(&answer[..length]).unwrap()
    }

    /// Sends two queries on one connection, and returns the answer to the second.
    async fn by_tcp(server: SocketAddr) -> Message {
        let mut stream = TcpStream::connect(server).await.unwrap();
        let mut answer = Vec::new();
        for _ in 0..2 {
            stream.write_u16(question().len() as u16).await.unwrap();
            stream.write_all(&question()).await.unwrap();
            answer = read_message(&mut stream).await.unwrap();
        }
        Message::from_vec(&answer).unwrap()
    }

    #[tokio::test]
    async fn it_answers_by_udp_and_tcp_with_the_announced_set() {
        let (dns, server) = serve().await;
        assert_eq!(by_udp(server).await.metadata.response_code, ResponseCode::ServFail);
        dns.announce(Some(&set(3)));
        assert_eq!(by_udp(server).await.answers.len(), 3);
        assert_eq!(by_tcp(server).await.answers.len(), 3);
        dns.announce(None);
        assert_eq!(by_tcp(server).await.metadata.response_code, ResponseCode::ServFail);
    }

    #[tokio::test]
    async fn an_answer_that_does_not_fit_a_datagram_is_truncated_and_whole_by_tcp() {
        let (dns, server) = serve().await;
        dns.announce(Some(&set(300)));
        let short = by_udp(server).await;
        assert!(short.metadata.truncation && short.answers.is_empty());
        let whole = by_tcp(server).await;
        assert!(!whole.metadata.truncation && whole.answers.len() == 300);
    }

    #[tokio::test]
    async fn a_connection_that_sends_garbage_is_closed_and_the_next_one_is_served() {
        let (dns, server) = serve().await;
        dns.announce(Some(&set(1)));
        let mut noise = TcpStream::connect(server).await.unwrap();
        noise.write_all(b"\0\x05noise").await.unwrap();
        assert!(read_message(&mut noise).await.is_err());
        assert_eq!(by_tcp(server).await.answers.len(), 1);
    }
}
