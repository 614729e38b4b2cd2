//! One connection to a Centrifugo server: connects, subscribes to the channel, recovers what was missed, and publishes.

use std::{borrow::Cow, time::Duration};

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::reply::{ConnectResult, Published, Push, Reply, SubscribeResult};
use crate::adapter::{Content, Conversation, Heard, Publication, Readiness, json, socket_io::json_text};

/// The number of the command that connects, and of the one that subscribes. Those that publish follow.
const CONNECT: u32 = 1;
const SUBSCRIBE: u32 = 2;
/// How much later than announced a ping may come.
const PING_DELAY: Duration = Duration::from_secs(10);

/// The conversation of one terminal.
pub(super) struct CentrifugoSession {
    channel: String,
    publish_to: String,
    token: Option<String>,
    recovers: bool,
    /// The offset of the last message, and the epoch of the channel's history.
    position: Option<(u64, String)>,
    ping: PingPolicy,
}

#[derive(Default)]
struct PingPolicy {
    silence: Option<Duration>,
    wants_pong: bool,
}

impl CentrifugoSession {
    /// A conversation that resumes from `resume`, which [`Conversation::resume_state`] returned. `recovers` says whether the
    /// terminal asks for what it missed.
    pub(super) fn new(
        channel: String,
        publish_to: String,
        token: Option<String>,
        recovers: bool,
        resume: Option<&str>,
    ) -> Self {
        Self { channel, publish_to, token, recovers, position: resume.and_then(position), ping: PingPolicy::default() }
    }
}

impl Conversation for CentrifugoSession {
    fn on_open(&mut self, heard: &mut dyn FnMut(Heard<'_>)) {
        let mut connect = json!({ "name": "muster-loadgen" });
        if let Some(token) = &self.token {
            connect["token"] = token.as_str().into();
        }
        heard(Heard::Reply(json(&json!({ "id": CONNECT, "connect": connect }))));
    }

    fn on_frame(&mut self, frame: &Message, heard: &mut dyn FnMut(Heard<'_>)) {
        let Message::Text(text) = frame else { return heard(Heard::Greeting) };
        for line in text.split('\n').filter(|line| !line.is_empty()) {
            match serde_json::from_str(line) {
                Ok(reply) => self.reply(reply, heard),
                Err(_) => heard(Heard::Malformed),
            }
        }
    }

    fn publish(&mut self, message: &str, number: u32) -> Publication {
        let id = SUBSCRIBE + 1 + number;
        let frame = json(&json!({ "id": id, "publish": { "channel": self.publish_to, "data": message } }));
        Publication { frame, ticket: Some(id) }
    }

    fn resume_state(&mut self) -> Option<String> {
        self.position.as_ref().map(|(offset, epoch)| format!("{offset} {epoch}"))
    }
}

impl CentrifugoSession {
    fn reply(&mut self, reply: Reply<'_>, heard: &mut dyn FnMut(Heard<'_>)) {
        match reply {
            Reply { id: Some(id @ (CONNECT | SUBSCRIBE)), error: Some(error), .. } => {
                let what = if id == CONNECT { "connection" } else { "subscription" };
                heard(Heard::Refused(format!("the server refused the {what}: {} {}", error.code, error.message)));
            }
            Reply { id: Some(id), error: Some(error), .. } => {
                heard(Heard::Published(id, Err(format!("{} {}", error.code, error.message))));
            }
            Reply { connect: Some(connect), .. } => self.connected(&connect, heard),
            Reply { subscribe: Some(subscribe), .. } => self.subscribed(subscribe, heard),
            Reply { push: Some(push), .. } => self.push(push, heard),
            Reply { id: Some(id), .. } => heard(Heard::Published(id, Ok(()))),
            // An empty object is a ping.
            Reply { id: None, .. } if self.ping.wants_pong => heard(Heard::Reply(Message::text("{}"))),
            Reply { id: None, .. } => {}
        }
    }

    fn connected(&mut self, connect: &ConnectResult, heard: &mut dyn FnMut(Heard<'_>)) {
        self.ping.wants_pong = connect.pong;
        self.ping.silence = (connect.ping > 0).then(|| Duration::from_secs(connect.ping) + PING_DELAY);
        let mut subscribe = json!({ "channel": self.channel });
        if self.recovers {
            subscribe["recoverable"] = true.into();
        }
        if let Some((offset, epoch)) = &self.position {
            subscribe["recover"] = true.into();
            subscribe["offset"] = (*offset).into();
            subscribe["epoch"] = epoch.as_str().into();
        }
        heard(Heard::Reply(json(&json!({ "id": SUBSCRIBE, "subscribe": subscribe }))));
    }

    fn subscribed(&mut self, subscribed: SubscribeResult<'_>, heard: &mut dyn FnMut(Heard<'_>)) {
        let asked = self.position.take().is_some() && subscribed.was_recovering;
        heard(Heard::Ready(Readiness {
            resumed: asked && subscribed.recovered,
            silence: self.ping.silence,
            ..Readiness::default()
        }));
        if asked && !subscribed.recovered {
            heard(Heard::Gap);
        }
        if self.recovers && subscribed.recoverable {
            self.position = Some((subscribed.offset, subscribed.epoch));
        }
        subscribed.publications.iter().for_each(|publication| self.publication(publication, heard));
    }

    fn push(&mut self, push: Push<'_>, heard: &mut dyn FnMut(Heard<'_>)) {
        if let Some(publication) = &push.r#pub {
            return self.publication(publication, heard);
        }
        match push.disconnect.or(push.unsubscribe) {
            Some(end) => {
                heard(Heard::Refused(format!("the server ended the subscription: {} {}", end.code, end.reason)))
            }
            None => heard(Heard::Greeting),
        }
    }

    fn publication(&mut self, publication: &Published<'_>, heard: &mut dyn FnMut(Heard<'_>)) {
        let text = json_text(publication.data).unwrap_or(Cow::Borrowed(publication.data.get()));
        heard(Heard::Payload(Content::Text(text), 0));
        if let Some((offset, _)) = &mut self.position {
            *offset = publication.offset.max(*offset);
        }
    }
}

/// The offset and the epoch in what a conversation resumes from.
fn position(state: &str) -> Option<(u64, String)> {
    let (offset, epoch) = state.split_once(' ')?;
    Some((offset.parse().ok()?, epoch.to_owned()))
}
