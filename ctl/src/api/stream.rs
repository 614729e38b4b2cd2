//! A stream of events, which is server-sent events.

use http_body_util::BodyExt;
use hyper::{Method, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    task::JoinHandle,
    time::{self, Duration, Instant},
};

use super::{
    ApiError, ClusterApi, WITHIN,
    connection::{collect, unanswered},
};

/// How long a node may send nothing. It sends something every 15 s, so after this time the connection is dead.
const SILENCE: Duration = Duration::from_secs(40);
/// The largest event, in bytes. The largest payload has a quarter of this.
const EVENT_MAX: usize = 4 << 20;

/// One event. A message without a kind brings a new id alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerEvent {
    /// The id. A stream that is opened with it begins after this event.
    pub id: Option<String>,
    /// What happened, such as `terminal.online`.
    pub kind: String,
    /// The data, as JSON.
    pub data: String,
}

/// A stream of events that a node sends.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    unread: Vec<u8>,
    /// Moves the bytes. Ends with the stream.
    connection: JoinHandle<()>,
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl ClusterApi {
    /// Opens a stream at this path, which begins after the event with this id.
    ///
    /// # Errors
    /// If no answer comes, or the answer is no success.
    pub async fn events(&self, path: &str, after: Option<&str>) -> Result<EventStream, ApiError> {
        let headers: Vec<(&str, &str)> = after.map(|id| ("last-event-id", id)).into_iter().collect();
        let request = self.request(Method::GET, path, &headers, String::new())?;
        let deadline = Instant::now() + WITHIN;
        let stream = self.connect(deadline).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(unanswered)?;
        let connection = tokio::spawn(async move {
            let _ = connection.await;
        });
        let answer = time::timeout_at(deadline, sender.send_request(request)).await;
        let answer = answer.map_err(|_| ApiError::Unanswered(format!("within {WITHIN:?}")))?.map_err(unanswered)?;
        if !answer.status().is_success() {
            collect(answer).await?;
            return Err(ApiError::Malformed("an error without a body".into()));
        }
        Ok(EventStream { body: answer.into_body(), unread: Vec::new(), connection })
    }
}

impl EventStream {
    /// Returns the next event. `None` if the node ended the stream.
    ///
    /// # Errors
    /// If the connection is lost, or nothing comes for 40 s.
    pub async fn next(&mut self) -> Result<Option<ServerEvent>, ApiError> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\n\n") {
                let message: Vec<u8> = self.unread.drain(..end + 2).collect();
                match event(&String::from_utf8_lossy(&message)) {
                    Some(event) => return Ok(Some(event)),
                    None => continue,
                }
            }
            if self.unread.len() > EVENT_MAX {
                return Err(ApiError::Malformed(format!("an event of more than {EVENT_MAX} bytes")));
            }
            let frame = time::timeout(SILENCE, self.body.frame()).await;
            match frame.map_err(|_| ApiError::Unanswered(format!("nothing came for {SILENCE:?}")))? {
                None => return Ok(None),
                Some(frame) => self.unread.extend(frame.map_err(unanswered)?.data_ref().into_iter().flatten()),
            }
        }
    }
}

/// Reads one message. `None` if it is a comment.
fn event(message: &str) -> Option<ServerEvent> {
    let mut event = ServerEvent::default();
    for line in message.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut event.kind),
            "data" => {
                if !event.data.is_empty() {
                    event.data.push('\n');
                }
                event.data.push_str(value);
            }
            _ => {}
        }
    }
    (event != ServerEvent::default()).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read() {
        let online = event("id: 7\nevent: terminal.online\ndata: {\"terminal\":\"t1\"}\n\n").unwrap();
        assert_eq!((online.id.as_deref(), online.kind.as_str()), (Some("7"), "terminal.online"));
        assert_eq!(online.data, r#"{"terminal":"t1"}"#);
        assert_eq!(event("id: 8\n\n").unwrap(), ServerEvent { id: Some("8".into()), ..ServerEvent::default() });
        assert_eq!(event(": nothing happened\n\n"), None);
    }
}
