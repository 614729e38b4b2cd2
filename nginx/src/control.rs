//! Asks Nginx by HTTP, at the address that its configuration has for the sidecar alone.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_millis(500);
/// The longest answer that is read, in bytes. Nginx's answers have 300.
const ANSWER_MAX: u64 = 4096;

/// Returns the answer to `GET path`, with its head. An error if none comes within 0.5 s.
pub async fn ask(control: SocketAddr, path: &str) -> anyhow::Result<String> {
    let ask = async {
        let mut stream = TcpStream::connect(control).await?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.take(ANSWER_MAX).read_to_string(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    Ok(time::timeout(ANSWER, ask).await??)
}
