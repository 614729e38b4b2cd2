//! The sockets of [`DnsServer`](super::DnsServer): datagrams, and streams for what does not fit one. Whatever comes in, they stay open.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
    time,
};

use super::DnsZone;

/// Connections at once, of which Nginx needs one for each worker; and how long a question and its answer may take on one.
const STREAMS: usize = 16;
const SILENCE: Duration = Duration::from_secs(10);
/// The longest question that is read from a datagram: a name has 255 bytes.
const QUESTION: usize = 1024;
/// After an error of a socket, which may last.
const RETRY: Duration = Duration::from_millis(100);

/// Answers datagrams for ever.
pub async fn serve_datagrams(socket: UdpSocket, zone: Arc<DnsZone>) {
    let mut question = [0; QUESTION];
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

/// Answers streams for ever.
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

/// Question after question, each with its length before it, until there is none for a while.
async fn serve_stream(mut stream: TcpStream, zone: Arc<DnsZone>) -> io::Result<()> {
    loop {
        time::timeout(SILENCE, exchange(&mut stream, &zone)).await??;
    }
}

async fn exchange(stream: &mut TcpStream, zone: &DnsZone) -> io::Result<()> {
    let question = read_message(stream).await?;
    let answer = zone.answer(&question, Some(u16::MAX.into())).ok_or(io::ErrorKind::InvalidData)?;
    let length = (answer.len() as u16).to_be_bytes();
    stream.write_all(&[&length[..], &answer].concat()).await
}

/// A message with its length before it.
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

    /// Two questions on one connection; the second one's answer.
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
    async fn it_answers_by_udp_and_tcp_what_it_was_last_told() {
        let (dns, server) = serve().await;
        assert_eq!(by_udp(server).await.metadata.response_code, ResponseCode::ServFail);
        dns.tell(Some(&set(3)));
        assert_eq!(by_udp(server).await.answers.len(), 3);
        assert_eq!(by_tcp(server).await.answers.len(), 3);
        dns.tell(None);
        assert_eq!(by_tcp(server).await.metadata.response_code, ResponseCode::ServFail);
    }

    #[tokio::test]
    async fn what_does_not_fit_a_datagram_is_asked_for_by_tcp() {
        let (dns, server) = serve().await;
        dns.tell(Some(&set(300)));
        let short = by_udp(server).await;
        assert!(short.metadata.truncation && short.answers.is_empty());
        let whole = by_tcp(server).await;
        assert!(!whole.metadata.truncation && whole.answers.len() == 300);
    }

    #[tokio::test]
    async fn a_stream_of_noise_ends_and_the_next_one_is_served() {
        let (dns, server) = serve().await;
        dns.tell(Some(&set(1)));
        let mut noise = TcpStream::connect(server).await.unwrap();
        noise.write_all(b"\0\x05noise").await.unwrap();
        assert!(read_message(&mut noise).await.is_err());
        assert_eq!(by_tcp(server).await.answers.len(), 1);
    }
}
