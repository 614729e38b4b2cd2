//! Probes nodes of two kinds. Of Muster's nodes, those without a lease: such a node leaves the configuration only if it
//! does not answer a probe either. Of a list (`--nodes-from`), all servers.

use std::{collections::BTreeMap, io, net::SocketAddr, str::FromStr, time::Duration};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use crate::membership::Members;

/// The time that one probe may take. A live node answers within it.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
/// Probes of one node in one round, one after the other.
const PROBES: usize = 2;
/// Rounds without an answer before more than half of the members count as dead at once. This host may be the one that
/// is cut off.
const ROUNDS_FOR_MOST: u32 = 3;

/// How a server is probed that is not Muster's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeKind {
    /// The server must accept a connection.
    Tcp,
    /// The server must answer a GET of this path with a status from 200 to 399.
    Http(String),
}

impl FromStr for ProbeKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_path = |path: &str| path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
        match text.split_once(':') {
            None if text == "tcp" => Ok(Self::Tcp),
            Some(("http", path)) if is_path(path) && path.len() <= 200 => Ok(Self::Http(path.to_owned())),
            _ => Err("tcp, or http:PATH with a path that begins with /, such as http:/healthz".into()),
        }
    }
}

/// Counts the rounds without an answer, by node.
#[derive(Debug, Default)]
pub struct Probes(BTreeMap<SocketAddr, u32>);

impl Probes {
    /// Probes all suspects at once, and returns those that are dead. Forgets other nodes. A suspect is dead after one
    /// round without an answer, or after three if more than half of the `members` do not answer.
    pub async fn round(&mut self, suspects: &Members, members: usize) -> Members {
        let answers = join_all(suspects.iter().map(|node| answers(*node, None))).await;
        let silent = suspects.iter().zip(answers).filter(|(_, answered)| !answered);
        self.0 = silent.map(|(node, _)| (*node, self.0.get(node).copied().unwrap_or_default() + 1)).collect();
        let needed = if self.0.len() * 2 > members { ROUNDS_FOR_MOST } else { 1 };
        self.0.iter().filter(|(_, rounds)| **rounds >= needed).map(|(node, _)| *node).collect()
    }
}

/// Returns whether a server answers. Without a kind, the server is a node of Muster. Takes up to 1 s.
pub async fn answers(node: SocketAddr, kind: Option<&ProbeKind>) -> bool {
    for _ in 0..PROBES {
        if time::timeout(PROBE_TIMEOUT, ask(node, kind)).await.is_ok_and(|asked| asked.is_ok()) {
            return true;
        }
    }
    false
}

/// Sends one probe. From a node of Muster any answer in HTTP counts: a node that drains, or has lost its Redis, is
/// alive.
async fn ask(node: SocketAddr, kind: Option<&ProbeKind>) -> io::Result<()> {
    let mut stream = TcpStream::connect(node).await?;
    let (request, is_alive): (_, fn(&[u8; 12]) -> bool) = match kind {
        Some(ProbeKind::Tcp) => return Ok(()),
        Some(ProbeKind::Http(path)) => {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {node}\r\nConnection: close\r\n\r\n");
            (request, |head| head.starts_with(b"HTTP/1.") && matches!(head[9], b'2' | b'3'))
        }
        None => ("GET /livez HTTP/1.0\r\n\r\n".to_owned(), |head| head.starts_with(b"HTTP/")),
    };
    stream.write_all(request.as_bytes()).await?;
    // The bytes of `HTTP/1.1 200`.
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    if is_alive(&head) { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    use muster_testkit::free_port;
    use tokio::net::TcpListener;

    use super::*;

    async fn node(says: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(says).await;
                // Closing the socket with unread data would reset the connection, and the answer would be lost.
                let _ = stream.read(&mut [0; 64]).await;
            }
        });
        address
    }

    /// Returns an address at which nothing listens.
    fn nobody() -> SocketAddr {
        ([127, 0, 0, 1], free_port()).into()
    }

    #[tokio::test]
    async fn a_node_that_answers_in_http_is_alive() {
        let (alive, other, dead) = (node(b"HTTP/1.1 503 x\r\n\r\n").await, node(b"SSH-2.0\r\n").await, nobody());
        let suspects = [alive, other, dead].into();
        assert_eq!(Probes::default().round(&suspects, 9).await, [other, dead].into());
    }

    #[tokio::test]
    async fn a_server_of_another_kind_is_alive_if_it_accepts_or_answers_well() {
        let (well, ill) = (node(b"HTTP/1.1 204 x\r\n\r\n").await, node(b"HTTP/1.1 503 x\r\n\r\n").await);
        let (tcp, http): (ProbeKind, ProbeKind) = ("tcp".parse().unwrap(), "http:/healthz".parse().unwrap());
        assert!(answers(well, Some(&http)).await && !answers(ill, Some(&http)).await);
        assert!(answers(ill, Some(&tcp)).await && !answers(nobody(), Some(&tcp)).await);
        for wrong in ["", "tcp:80", "http", "http:", "http:healthz", "http:/a b", "grpc:/x"] {
            assert!(wrong.parse::<ProbeKind>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn more_than_half_of_the_members_are_dead_only_after_three_rounds() {
        let suspects: Members = [nobody(), nobody()].into();
        let mut probes = Probes::default();
        assert!(probes.round(&suspects, 3).await.is_empty());
        assert!(probes.round(&suspects, 3).await.is_empty());
        assert_eq!(probes.round(&suspects, 3).await, suspects);
        probes.round(&Members::new(), 3).await;
        assert!(probes.round(&suspects, 3).await.is_empty(), "a round in which they are no suspects resets the count");
    }
}
