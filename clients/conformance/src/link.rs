//! One connection, as a node has it: what comes is recorded by a task, what the scenario says is sent.

use std::time::{Duration, Instant};

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::server::Request, protocol::CloseFrame},
};

use crate::{
    recording::{Observed, Recording},
    timing::ms,
};

/// How long a client may take to answer a close.
const CLOSING: Duration = ms(1000);

/// A session of the client, from the node's side.
pub struct Link {
    /// Its number in the recording.
    pub number: usize,
    /// When the client connected.
    pub at: Instant,
    /// Its handshake.
    pub request: Request,
    /// What the node's clock says, less what this machine's clock says.
    pub clock: SignedDuration,
    recording: Recording,
    sending: SplitSink<WebSocketStream<TcpStream>, Message>,
    reading: JoinHandle<()>,
}

impl Link {
    /// Takes a WebSocket that the client has opened.
    pub fn new(
        (number, at, clock): (usize, Instant, SignedDuration),
        request: Request,
        socket: WebSocketStream<TcpStream>,
        recording: Recording,
    ) -> Self {
        let (sending, receiving) = socket.split();
        let reading = tokio::spawn(read(number, receiving, recording.clone()));
        Self { number, at, request, clock, recording, sending, reading }
    }

    /// The node's time, moved by so many milliseconds.
    pub fn time(&self, ahead_ms: i64) -> Timestamp {
        Timestamp::now() + self.clock + SignedDuration::from_millis(ahead_ms)
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends a text that may be no frame. An error means that the client has gone, and the recording says so.
    pub async fn send_text(&mut self, text: &str) {
        self.recording.add(Observed::Sent(self.number, text.to_owned()));
        let _ = self.sending.send(Message::text(text)).await;
    }

    /// Sends a ping.
    pub async fn ping(&mut self, payload: &'static [u8]) {
        let _ = self.sending.send(Message::Ping(payload.into())).await;
    }

    /// Sends the welcome, with these fields besides or in place of its own.
    pub async fn welcome(&mut self, fields: Value) {
        let mut frame = json!({
            "type": "welcome",
            "session": "0190163d-8000-7000-8000-000000000001",
            "node": "kit",
            "time": self.time(0).to_string(),
            "ping_ms": 25_000,
            "max_message": 65_536,
            "resumed": false,
        });
        merge(&mut frame, fields);
        self.send(frame).await;
    }

    /// Sends a command, with these fields besides or in place of its own. It expires in an hour.
    pub async fn command(&mut self, id: &str, name: &str, fields: Value) {
        let mut frame =
            json!({ "type": "command", "id": id, "name": name, "expires_at": self.time(3_600_000).to_string() });
        merge(&mut frame, fields);
        self.send(frame).await;
    }

    /// Closes with this code and reason, and waits until the client has answered or some time has passed. Returns when it closed.
    pub async fn close(mut self, code: u16, reason: &str) -> Instant {
        let at = Instant::now();
        self.recording.add(Observed::Sent(self.number, format!("close {code} {reason}")));
        let close = CloseFrame { code: code.into(), reason: reason.into() };
        let _ = self.sending.send(Message::Close(Some(close))).await;
        let _ = timeout(CLOSING, &mut self.reading).await;
        at
    }

    /// Drops the connection without a close, as a node that is killed. Returns when.
    pub async fn cut(mut self) -> Instant {
        self.recording.add(Observed::Sent(self.number, "nothing more: the connection is cut".into()));
        self.reading.abort();
        let _ = (&mut self.reading).await;
        Instant::now()
    }

    /// Goes silent, as a line that is half open: nothing is read, answered or sent any more, and the connection stays.
    pub async fn go_silent(&mut self) {
        self.recording.add(Observed::Sent(self.number, "nothing more: the line is half open".into()));
        self.reading.abort();
        let _ = (&mut self.reading).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Records what comes, until the connection is gone. The WebSocket layer answers pings and closes meanwhile.
async fn read(number: usize, mut receiving: SplitStream<WebSocketStream<TcpStream>>, recording: Recording) {
    while let Some(Ok(message)) = receiving.next().await {
        recording.add(match message {
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(frame @ Value::Object(_)) => Observed::Frame(number, frame),
                _ => Observed::NoFrame(number, text.to_string()),
            },
            Message::Binary(bytes) => Observed::NoFrame(number, format!("{} bytes of binary", bytes.len())),
            Message::Pong(bytes) => Observed::Pong(number, bytes.to_vec()),
            Message::Close(frame) => Observed::Closed(number, frame.map_or(1005, |frame| frame.code.into())),
            Message::Ping(_) | Message::Frame(_) => continue,
        });
    }
    recording.add(Observed::Gone(number));
}

/// Replaces or adds the fields of another object.
fn merge(frame: &mut Value, fields: Value) {
    if let (Value::Object(frame), Value::Object(fields)) = (frame, fields) {
        frame.extend(fields);
    }
}
