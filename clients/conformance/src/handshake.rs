//! How a handshake is answered: opened, refused, or opened wrongly.

#![allow(clippy::result_large_err, reason = "tungstenite defines the error type of a handshake callback")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, StatusCode, header},
    },
};

use crate::{
    fake_port::Connected,
    link::Link,
    recording::{Observed, Recorded},
    stage::{Stage, Stop, frames},
    timing::{SOON, START},
};

/// The subprotocol that a node selects.
pub const V1: &str = "muster.v1";

impl Stage {
    /// Waits for the next handshake at the first port and opens the WebSocket. If none comes, the rule is broken.
    pub async fn upgrade(&mut self, rule: &'static str, expected: &str) -> Result<Link, Stop> {
        let within = if self.is_first() { START } else { SOON };
        self.upgrade_within(rule, expected, within).await
    }

    /// As [`upgrade`](Self::upgrade), and waits so long.
    pub async fn upgrade_within(&mut self, rule: &'static str, expected: &str, within: Duration) -> Result<Link, Stop> {
        let connected = self.connected(0, within).await;
        let connected = self.some(rule, connected, expected)?;
        self.open(rule, connected, Some(V1)).await
    }

    /// Opens the WebSocket of a client that has connected. `selected` is the subprotocol that the answer selects.
    pub async fn open(
        &mut self,
        rule: &'static str,
        connected: Connected,
        selected: Option<&'static str>,
    ) -> Result<Link, Stop> {
        let mut received = None;
        let agree = |request: &Request, mut response: Response| {
            received = Some(request.clone());
            if let Some(selected) = selected {
                response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(selected));
            }
            Ok(response)
        };
        let opened = timeout(SOON, accept_hdr_async(connected.stream, agree)).await;
        let opened = opened.map_err(|_| "no whole handshake in time".to_owned());
        let opened = opened.and_then(|opened| opened.map_err(|error| error.to_string()));
        let socket = match opened {
            Ok(socket) => socket,
            Err(error) => {
                self.check(rule, false, "a WebSocket handshake", || error);
                return Err(Stop);
            }
        };
        let number = self.next_number();
        self.recording.add(Observed::Handshake(number, 101));
        let request = received.unwrap_or_default();
        Ok(Link::new((number, connected.at, self.clock), request, socket, self.recording.clone()))
    }

    /// Waits for the next handshake, and for the hello. Returns the hello too.
    pub async fn hello(&mut self, rule: &'static str, expected: &str) -> Result<(Link, Value), Stop> {
        let link = self.upgrade(rule, expected).await?;
        let hello = self.hello_on(&link).await?;
        Ok((link, hello))
    }

    /// Waits for the hello of a session.
    pub async fn hello_on(&mut self, link: &Link) -> Result<Value, Stop> {
        let number = link.number;
        let hello = |recorded: &[Recorded]| frames(recorded, number, "hello").next().map(|(_, hello)| hello.clone());
        self.must("R5", "a hello after the handshake", hello).await
    }

    /// Waits for the next session and sends its welcome, with these fields besides.
    pub async fn session(&mut self, rule: &'static str, expected: &str, fields: Value) -> Result<Link, Stop> {
        let (mut link, _) = self.hello(rule, expected).await?;
        link.welcome(fields).await;
        Ok(link)
    }

    /// Starts the program and waits for its first session.
    pub async fn first_session(&mut self) -> Result<Link, Stop> {
        self.start();
        self.session("R1", "a handshake of the program", json!({})).await
    }

    /// Waits for the next connection and refuses its handshake with this status.
    pub async fn refuse(
        &mut self,
        rule: &'static str,
        expected: &str,
        status: u16,
        retry_after: Option<&'static str>,
    ) -> Result<Refused, Stop> {
        let within = if self.is_first() { START } else { SOON };
        let connected = self.connected(0, within).await;
        let connected = self.some(rule, connected, expected)?;
        Ok(self.answer_with(connected, status, retry_after).await)
    }

    /// Refuses the handshake of a client that has connected.
    pub async fn answer_with(
        &mut self,
        connected: Connected,
        status: u16,
        retry_after: Option<&'static str>,
    ) -> Refused {
        let refuse = |_: &Request, _: Response| {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
            let headers = refusal.headers_mut();
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            if let Some(seconds) = retry_after {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
            }
            Err(refusal)
        };
        let number = self.next_number();
        let began = connected.at;
        let _ = timeout(SOON, accept_hdr_async(connected.stream, refuse)).await;
        self.recording.add(Observed::Handshake(number, status));
        Refused { began, at: Instant::now() }
    }

    /// Whether no connection has come yet: the program may still be starting.
    fn is_first(&self) -> bool {
        self.recording.ask(|recorded| {
            let begins = recorded.iter().rposition(|it| it.what == Observed::Started).unwrap_or(0);
            !recorded[begins..].iter().any(|it| matches!(it.what, Observed::Handshake(..)))
        })
    }
}

/// A handshake that was refused.
pub struct Refused {
    /// When the client connected.
    pub began: Instant,
    /// When the answer was sent.
    pub at: Instant,
}

/// The token of a handshake, in the header or among the subprotocols.
pub fn token_of(request: &Request) -> Option<&str> {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(token) = header.and_then(|value| value.strip_prefix("Bearer ")) {
        return Some(token);
    }
    offered(request).find_map(|protocol| protocol.strip_prefix("muster.bearer."))
}

/// The subprotocols that a handshake offers.
pub fn offered(request: &Request) -> impl Iterator<Item = &str> {
    let headers = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    headers.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}
