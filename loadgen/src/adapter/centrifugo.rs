//! Centrifugo's JSON protocol: a subscription to one channel, and its recovery by offset.

use std::{borrow::Cow, time::Duration};

use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio_tungstenite::tungstenite::Message;

use super::{
    Adapter, Content, Conversation, Heard, Opening, Promise, Publication, Readiness, TerminalIdentity, json,
    socket_io::json_text,
};
use crate::{
    config::{AdapterSettings, Replay},
    template::Template,
};

/// The number of the command that connects, and of the one that subscribes. Those that publish follow.
const CONNECT: u32 = 1;
const SUBSCRIBE: u32 = 2;
/// How much later than announced a ping may come.
const PING_DELAY: Duration = Duration::from_secs(10);

/// The adapter for Centrifugo.
#[derive(Debug)]
pub struct Centrifugo {
    channel: Template,
    publish_to: Template,
    /// Whether terminals ask for what they missed.
    recovers: bool,
}

impl Centrifugo {
    /// The adapter for these settings; the default channel is `load`.
    pub fn new(settings: &AdapterSettings, replay: Replay) -> Self {
        let (channel, publish_to) = settings.channels("load");
        Self { channel, publish_to, recovers: replay != Replay::Off }
    }
}

impl Adapter for Centrifugo {
    fn promise(&self) -> Promise {
        let text = "each message at most once, in order of the channel; a channel with history replays what was missed";
        Promise { resumes: self.recovers, ..Promise::at_most_once("centrifugo", text) }
    }

    fn open(&self, _who: &TerminalIdentity) -> Opening {
        Opening { has_credentials: true, ..Opening::default() }
    }

    fn converse(&self, who: &TerminalIdentity, resume: Option<String>) -> Box<dyn Conversation> {
        let position = |state: &str| {
            let (offset, epoch) = state.split_once(' ')?;
            Some((offset.parse().ok()?, epoch.to_owned()))
        };
        Box::new(Client {
            channel: who.fill(&self.channel),
            publish_to: who.fill(&self.publish_to),
            token: who.token.clone(),
            recovers: self.recovers,
            position: resume.as_deref().and_then(position),
            ping: PingPolicy::default(),
        })
    }
}

struct Client {
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

/// A reply to a command, or a push without an `id`.
#[derive(Deserialize)]
struct Reply<'a> {
    id: Option<u32>,
    error: Option<ReplyError>,
    connect: Option<ConnectResult>,
    #[serde(borrow)]
    subscribe: Option<SubscribeResult<'a>>,
    #[serde(borrow)]
    push: Option<Push<'a>>,
}

#[derive(Deserialize)]
struct ReplyError {
    code: u32,
    message: String,
}

/// Its fields about pings; a server without pings has none.
#[derive(Deserialize)]
struct ConnectResult {
    /// Seconds.
    #[serde(default)]
    ping: u64,
    #[serde(default)]
    pong: bool,
}

#[derive(Deserialize)]
struct SubscribeResult<'a> {
    #[serde(default)]
    recoverable: bool,
    #[serde(default)]
    recovered: bool,
    #[serde(default)]
    was_recovering: bool,
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    epoch: String,
    #[serde(borrow, default)]
    publications: Vec<Published<'a>>,
}

#[derive(Deserialize)]
struct Push<'a> {
    #[serde(borrow)]
    r#pub: Option<Published<'a>>,
    disconnect: Option<ReplyEnd>,
    unsubscribe: Option<ReplyEnd>,
}

#[derive(Deserialize)]
struct Published<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(default)]
    offset: u64,
}

#[derive(Deserialize)]
struct ReplyEnd {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    reason: String,
}

impl Conversation for Client {
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

impl Client {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapter::trial::Trial, config::tests::config};

    const CONNECTED: &str = r#"{"id":1,"connect":{"client":"9ac9de4e-5289-4ad6-9aa7-8447f007083e","version":"6.5.0","ping":25,"pong":true}}"#;

    fn begun(resume: Option<&str>) -> (Trial, Vec<String>) {
        let config = config("--adapter centrifugo --channel news");
        let mut trial = Trial::start(&Centrifugo::new(&config.adapter, config.replay), resume);
        assert_eq!(trial.opened(), [r#"reply {"connect":{"name":"muster-loadgen","token":"token-7"},"id":1}"#]);
        let told = trial.text(CONNECTED);
        (trial, told)
    }

    #[test]
    fn a_terminal_is_ready_when_its_subscription_is_confirmed() {
        let (mut trial, told) = begun(None);
        assert_eq!(told, [r#"reply {"id":2,"subscribe":{"channel":"news","recoverable":true}}"#]);
        assert_eq!(trial.text(r#"{"id":2,"subscribe":{}}"#), ["ready silence 35s"]);
        assert_eq!(trial.text(r#"{"push":{"channel":"news","pub":{"data":"M1ab"}}}"#), ["payload M1ab copy 0"]);
        assert_eq!(trial.text("{}"), ["reply {}"]);
        let two = "{\"push\":{\"channel\":\"news\",\"pub\":{\"data\":\"a\"}}}\n{\"push\":{\"channel\":\"news\",\"pub\":{\"data\":\"b\"}}}\n";
        assert_eq!(trial.text(two), ["payload a copy 0", "payload b copy 0"]);
        assert_eq!(trial.resume_state(), None, "the channel has no history");
    }

    #[test]
    fn what_was_missed_is_recovered_from_the_last_offset() {
        let (mut trial, _) = begun(None);
        trial.text(r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"xyz","positioned":true}}"#);
        trial.text(r#"{"push":{"channel":"news","pub":{"data":"a","offset":1}}}"#);
        let state = trial.resume_state();
        assert_eq!(state.as_deref(), Some("1 xyz"));

        let (mut trial, told) = begun(state.as_deref());
        let asked = r#"{"channel":"news","epoch":"xyz","offset":1,"recover":true,"recoverable":true}"#;
        assert_eq!(told, [format!(r#"reply {{"id":2,"subscribe":{asked}}}"#)]);
        let told = trial.text(
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"xyz","publications":[{"data":"b","offset":2}],"recovered":true,"offset":2,"positioned":true,"was_recovering":true}}"#,
        );
        assert_eq!(told, ["ready resumed silence 35s", "payload b copy 0"]);
        assert_eq!(trial.resume_state().as_deref(), Some("2 xyz"));

        let (mut trial, _) = begun(state.as_deref());
        let told =
            trial.text(r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"new","offset":9,"was_recovering":true}}"#);
        assert_eq!(told, ["ready silence 35s", "gap"]);
        assert_eq!(trial.resume_state().as_deref(), Some("9 new"));
    }

    #[test]
    fn refusals_and_answers_are_told_apart() {
        let (mut trial, _) = begun(None);
        let told = trial.text(r#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#);
        assert_eq!(told, ["refused: the server refused the subscription: 103 permission denied"]);
        let published = trial.published("M1", 4);
        assert_eq!(published, (r#"{"id":7,"publish":{"channel":"news","data":"M1"}}"#.to_owned(), Some(7)));
        assert_eq!(trial.text(r#"{"id":7,"publish":{}}"#), ["published 7"]);
        assert_eq!(trial.text(r#"{"id":8,"error":{"code":11,"message":"x"}}"#), ["published 8: 11 x"]);
        let told = trial.text(r#"{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}"#);
        assert_eq!(told, ["refused: the server ended the subscription: 3001 shutdown"]);
        assert_eq!(trial.text("["), ["malformed"]);
    }
}
