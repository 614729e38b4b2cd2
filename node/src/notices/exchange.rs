//! One request and its answer, bounded in bytes and time.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time,
};

/// The most bytes of an answer's head that are read, and the most of its body.
const ANSWER_MAX: usize = 64 << 10;
/// How long the body of an answer is read.
const BODY_WITHIN: Duration = Duration::from_secs(1);

/// Sends a request, reads the answer and returns its status. What the answer has beyond its status is of no use, and decides nothing: it is
/// read for a moment so that the receiver can send it whole.
///
/// # Errors
/// If the connection ends before an answer, or what comes is none.
pub async fn exchange<S>(request: Request<Full<Bytes>>, stream: S) -> hyper::Result<u16>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(ANSWER_MAX).handshake(TokioIo::new(stream)).await?;
    let answer = async move {
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let _ = time::timeout(BODY_WITHIN, Limited::new(answer.into_body(), ANSWER_MAX).collect()).await;
        Ok(status)
    };
    // The connection moves the bytes; it may end before the answer has been taken.
    let (mut answer, mut connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        answer = &mut answer => answer,
        _ = &mut connection => answer.await,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// What becomes of a request whose receiver sends this, and then this again and again while it is read.
    async fn told(begin: &'static str, again: &'static str) -> hyper::Result<u16> {
        let (ours, theirs) = duplex(4096);
        tokio::spawn(answer(theirs, begin, again));
        let request = Request::post("/").body(Full::new(Bytes::from_static(b"{}"))).unwrap();
        time::timeout(Duration::from_secs(5), exchange(request, ours)).await.expect("it ends")
    }

    async fn answer(mut stream: DuplexStream, begin: &str, again: &str) -> io::Result<()> {
        stream.read_exact(&mut [0; 16]).await?;
        stream.write_all(begin.as_bytes()).await?;
        while !again.is_empty() {
            stream.write_all(again.as_bytes()).await?;
        }
        std::future::pending().await
    }

    #[tokio::test]
    async fn the_status_counts_whatever_becomes_of_the_body() {
        assert_eq!(told("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "").await.unwrap(), 200);
        assert_eq!(told("HTTP/1.1 202 OK\r\nContent-Length: 9\r\n\r\n", "").await.unwrap(), 202, "it never comes");
        assert_eq!(told("HTTP/1.1 500 No\r\n\r\n", "endless").await.unwrap(), 500);
    }

    #[tokio::test]
    async fn a_head_without_an_end_is_no_answer() {
        assert!(told("HTTP/1.1 200 OK\r\n", "X: 1234567\r\n").await.is_err());
    }
}
