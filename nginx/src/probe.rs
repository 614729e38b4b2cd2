//! The sidecar's own question to a node whose lease is gone: the second witness, without which nobody leaves the file.

use std::{collections::BTreeMap, io, net::SocketAddr, time::Duration};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use crate::membership::Members;

/// A node that lives answers within it.
const PATIENCE: Duration = Duration::from_millis(500);
/// Questions in one round, one after the other.
const QUESTIONS: usize = 2;
/// Rounds before more than half of the members are believed to be dead at once: it may be this host that is cut off.
const DOUBT: u32 = 3;

/// Rounds without an answer, by node.
#[derive(Debug, Default)]
pub struct Probes(BTreeMap<SocketAddr, u32>);

impl Probes {
    /// Asks these nodes, all at once, and forgets the others. Those who answer are not dead; those who do not are, once all of
    /// their questions went unanswered often enough for how many they are among `members`.
    pub async fn round(&mut self, suspects: &Members, members: usize) -> Members {
        let answers = join_all(suspects.iter().map(|node| answers(*node))).await;
        let silent = suspects.iter().zip(answers).filter(|(_, answered)| !answered);
        self.0 = silent.map(|(node, _)| (*node, self.0.get(node).copied().unwrap_or_default() + 1)).collect();
        let needed = if self.0.len() * 2 > members { DOUBT } else { 1 };
        self.0.iter().filter(|(_, rounds)| **rounds >= needed).map(|(node, _)| *node).collect()
    }
}

async fn answers(node: SocketAddr) -> bool {
    for _ in 0..QUESTIONS {
        if time::timeout(PATIENCE, ask(node)).await.is_ok_and(|asked| asked.is_ok()) {
            return true;
        }
    }
    false
}

/// Any answer in HTTP will do: a node that drains or has lost its Redis is alive.
async fn ask(node: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(node).await?;
    stream.write_all(b"GET /livez HTTP/1.0\r\n\r\n").await?;
    let mut head = [0; 5];
    stream.read_exact(&mut head).await?;
    if &head == b"HTTP/" { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn node(says: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(says).await;
                // Closed unread, the answer would be lost to a reset.
                let _ = stream.read(&mut [0; 64]).await;
            }
        });
        address
    }

    /// Where nothing listens.
    async fn nobody() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn who_answers_in_http_lives() {
        let (alive, other, dead) = (node(b"HTTP/1.1 503 x\r\n\r\n").await, node(b"SSH-2.0\r\n").await, nobody().await);
        let suspects = [alive, other, dead].into();
        assert_eq!(Probes::default().round(&suspects, 9).await, [other, dead].into());
    }

    #[tokio::test]
    async fn more_than_half_at_once_must_be_silent_for_longer() {
        let suspects: Members = [nobody().await, nobody().await].into();
        let mut probes = Probes::default();
        assert!(probes.round(&suspects, 3).await.is_empty());
        assert!(probes.round(&suspects, 3).await.is_empty());
        assert_eq!(probes.round(&suspects, 3).await, suspects);
        probes.round(&Members::new(), 3).await;
        assert!(probes.round(&suspects, 3).await.is_empty(), "one good round and it begins anew");
    }
}
