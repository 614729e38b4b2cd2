//! One HTTP request over a connection of its own, and its answer, bounded in bytes and time.

use std::{pin::pin, time::Duration};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Request, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};

/// The largest head of an answer, in bytes.
const HEAD_MAX: usize = 64 << 10;

/// How much of an answer is read, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct AnswerBounds {
    /// The largest body, in bytes.
    pub body_max: usize,
    /// How long the body is read, from the end of the head on. `None`: until the deadline.
    pub body_within: Option<Duration>,
    /// When the whole answer must have been read.
    pub deadline: Instant,
}

/// An answer whose head was read.
#[derive(Debug)]
pub struct HttpAnswer {
    /// The status.
    pub status: StatusCode,
    /// The body, or why it was not read whole.
    pub body: Result<Bytes, UnreadBody>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The head of the answer did not come before the deadline.
    #[error("the answer did not come in time")]
    Late,
    /// The connection ended before the head came, or what came is no HTTP.
    #[error("no answer: {0}")]
    Failed(#[from] hyper::Error),
}

/// Why the body of an answer was not read whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadBody {
    /// The body has more bytes than [`AnswerBounds::body_max`]. Holds that bound.
    #[error("the answer has more than {0} bytes, the most that are read")]
    TooLong(usize),
    /// The body did not come in time.
    #[error("the answer did not come whole in time")]
    Late,
    /// The connection ended before the body did.
    #[error("the answer did not come whole: {0}")]
    CutOff(String),
}

/// Sends a request over a connection, and reads the answer. The connection ends with the answer.
///
/// # Errors
/// If the head of an answer does not come. If the body can't be read, the answer still has the status.
pub async fn exchange<S>(request: Request<Bytes>, stream: S, bounds: &AnswerBounds) -> Result<HttpAnswer, ExchangeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = http1::Builder::new().max_buf_size(HEAD_MAX).handshake(TokioIo::new(stream)).await?;
    let answer = async move {
        let asked = sender.send_request(request.map(Full::new));
        let answer = timeout_at(bounds.deadline, asked).await.map_err(|_| ExchangeError::Late)??;
        Ok(HttpAnswer { status: answer.status(), body: read(answer.into_body(), bounds).await })
    };
    // The connection moves the bytes; it may end before the answer has been taken.
    let (mut answer, mut connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        answer = &mut answer => answer,
        _ = &mut connection => answer.await,
    }
}

async fn read(body: Incoming, bounds: &AnswerBounds) -> Result<Bytes, UnreadBody> {
    let own = bounds.body_within.map(|within| Instant::now() + within);
    let deadline = own.map_or(bounds.deadline, |own| own.min(bounds.deadline));
    let read = timeout_at(deadline, Limited::new(body, bounds.body_max).collect()).await;
    match read.map_err(|_| UnreadBody::Late)? {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(UnreadBody::TooLong(bounds.body_max)),
        Err(error) => Err(UnreadBody::CutOff(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// Returns what becomes of a request whose receiver sends `begin`, and then `again` over and over while it is read.
    async fn told(begin: &'static str, again: &'static str, within: Duration) -> Result<HttpAnswer, ExchangeError> {
        let (ours, theirs) = duplex(4096);
        tokio::spawn(answer(theirs, begin, again));
        let request = Request::post("/").body(Bytes::from_static(b"{}")).unwrap();
        let deadline = Instant::now() + within;
        let bounds = AnswerBounds { body_max: 8 << 10, body_within: Some(Duration::from_secs(1)), deadline };
        timeout_at(Instant::now() + Duration::from_secs(10), exchange(request, ours, &bounds)).await.expect("it ends")
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
        let found = async |begin, again| {
            let answer = told(begin, again, Duration::from_secs(5)).await.unwrap();
            (answer.status.as_u16(), answer.body)
        };
        let whole = (200, Ok(Bytes::from_static(b"ok")));
        assert_eq!(found("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "").await, whole);
        let late = (202, Err(UnreadBody::Late));
        assert_eq!(found("HTTP/1.1 202 OK\r\nContent-Length: 9\r\n\r\n", "").await, late, "it never comes");
        let long = (500, Err(UnreadBody::TooLong(8 << 10)));
        assert_eq!(found("HTTP/1.1 500 No\r\n\r\n", "endless").await, long);
    }

    #[tokio::test]
    async fn a_head_without_an_end_is_no_answer() {
        let endless = told("HTTP/1.1 200 OK\r\n", "X: 1234567\r\n", Duration::from_secs(5)).await;
        assert!(matches!(endless, Err(ExchangeError::Failed(_))), "{endless:?}");
        let silent = told("HTTP/1.1 200 OK\r\n", "", Duration::from_millis(100)).await;
        assert!(matches!(silent, Err(ExchangeError::Late)), "{silent:?}");
    }
}
