//! Pusher's protocol 7: one channel, with an auth of our own if it is private.

use std::{borrow::Cow, time::Duration};

use data_encoding::HEXLOWER;
use ring::hmac;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio_tungstenite::tungstenite::Message;

use super::{
    Adapter, Content, Conversation, Heard, Keepalive, Opening, Promise, Publication, Readiness, TerminalIdentity, json,
    socket_io::json_text,
};
use crate::{config::AdapterSettings, template::Template};

/// How long the server may take to answer a ping.
const PONG: Duration = Duration::from_secs(30);

/// The adapter for Pusher and the servers that speak its protocol.
#[derive(Debug)]
pub struct Pusher {
    channel: Template,
    publish_to: Template,
}

impl Pusher {
    /// The adapter for these settings; the default channel is `load`.
    pub fn new(settings: &AdapterSettings) -> Self {
        let (channel, publish_to) = settings.channels("load");
        Self { channel, publish_to }
    }
}

impl Adapter for Pusher {
    fn promise(&self) -> Promise {
        Promise::at_most_once("pusher", "each message at most once; nothing is acknowledged or replayed")
    }

    fn open(&self, _who: &TerminalIdentity) -> Opening {
        let query = format!("protocol=7&client=muster-loadgen&version={}&flash=false", env!("CARGO_PKG_VERSION"));
        Opening { query, has_credentials: true, ..Opening::default() }
    }

    fn converse(&self, who: &TerminalIdentity, _resume: Option<String>) -> Box<dyn Conversation> {
        Box::new(PusherSession {
            channel: who.fill(&self.channel),
            publish_to: who.fill(&self.publish_to),
            login: who.login.clone(),
            activity_s: 0,
        })
    }
}

struct PusherSession {
    channel: String,
    publish_to: String,
    /// The key and the secret of the app.
    login: Option<(String, String)>,
    /// After how many seconds without a message the server wants a ping.
    activity_s: u64,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Established {
    socket_id: String,
    #[serde(default)]
    activity_timeout: u64,
}

impl Conversation for PusherSession {
    fn on_open(&mut self, _heard: &mut dyn FnMut(Heard<'_>)) {}

    fn on_frame(&mut self, frame: &Message, heard: &mut dyn FnMut(Heard<'_>)) {
        let Message::Text(text) = frame else { return heard(Heard::Greeting) };
        let Ok(Event { event, data }) = serde_json::from_str(text) else { return heard(Heard::Malformed) };
        let data = data.map(|data| json_text(data).unwrap_or(Cow::Borrowed(data.get()))).unwrap_or_default();
        match &*event {
            "pusher:connection_established" => self.established(&data, heard),
            "pusher_internal:subscription_succeeded" => heard(Heard::Ready(self.readiness())),
            "pusher:ping" => heard(Heard::Reply(json(&json!({ "event": "pusher:pong", "data": {} })))),
            "pusher:error" | "pusher:subscription_error" => heard(Heard::Refused(format!("{event}: {data}"))),
            other if other.starts_with("pusher") => {}
            _ => heard(Heard::Payload(Content::Text(data), 0)),
        }
    }

    fn publish(&mut self, message: &str, _number: u32) -> Publication {
        let event = json!({ "event": "client-load", "channel": self.publish_to, "data": message });
        Publication { frame: json(&event), ticket: None }
    }

    fn resume_state(&mut self) -> Option<String> {
        None
    }
}

impl PusherSession {
    fn established(&mut self, data: &str, heard: &mut dyn FnMut(Heard<'_>)) {
        let Ok(established) = serde_json::from_str::<Established>(data) else { return heard(Heard::Malformed) };
        self.activity_s = established.activity_timeout;
        let mut subscription = json!({ "channel": self.channel });
        if self.channel.starts_with("private-")
            && let Some((key, secret)) = &self.login
        {
            let signed = format!("{}:{}", established.socket_id, self.channel);
            let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
            subscription["auth"] = format!("{key}:{}", HEXLOWER.encode(signature.as_ref())).into();
        }
        heard(Heard::Reply(json(&json!({ "event": "pusher:subscribe", "data": subscription }))));
    }

    fn readiness(&self) -> Readiness {
        let every = Duration::from_secs(self.activity_s);
        let frame = json(&json!({ "event": "pusher:ping", "data": {} }));
        Readiness {
            silence: (self.activity_s > 0).then_some(every + PONG),
            keepalive: (self.activity_s > 0).then_some(Keepalive { every, frame }),
            ..Readiness::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        adapter::trial::{Trial, identity},
        config::tests::config,
    };

    /// A terminal whose connection is established, with the key and the secret of Pusher's own example.
    fn begun(channel: &str) -> (Trial, Vec<String>) {
        let config = config(&format!("--adapter pusher --channel {channel}"));
        let mut who = identity();
        who.login = Some(("278d425bdf160c739803".into(), "7ad3773142a6692b25b8".into()));
        let mut trial = Trial::of(&Pusher::new(&config.adapter), &who, None);
        assert_eq!(trial.opened(), Vec::<String>::new());
        let established = r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1234.1234\",\"activity_timeout\":120}"}"#;
        let told = trial.text(established);
        (trial, told)
    }

    #[test]
    fn a_terminal_is_ready_when_its_subscription_succeeded() {
        let (mut trial, told) = begun("load");
        assert_eq!(told, [r#"reply {"data":{"channel":"load"},"event":"pusher:subscribe"}"#]);
        let told = trial.text(r#"{"event":"pusher_internal:subscription_succeeded","channel":"load","data":"{}"}"#);
        assert_eq!(told, [r#"ready silence 150s keepalive 120s {"data":{},"event":"pusher:ping"}"#]);
        let told = trial.text(r#"{"event":"news","channel":"load","data":"M1ab"}"#);
        assert_eq!(told, ["payload M1ab copy 0"]);
        assert_eq!(trial.text(r#"{"event":"pusher:ping","data":{}}"#), [r#"reply {"data":{},"event":"pusher:pong"}"#]);
        assert_eq!(trial.text(r#"{"event":"pusher:pong","data":{}}"#), Vec::<String>::new());
    }

    #[test]
    fn a_private_channel_is_signed_as_pusher_documents_it() {
        let (_, told) = begun("private-foobar");
        let auth = "278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";
        assert!(told[0].contains(auth), "{told:?}");
    }

    #[test]
    fn a_refusal_says_why() {
        let (mut trial, _) = begun("load");
        let told =
            trial.text(r#"{"event":"pusher:error","data":{"message":"App key not in this cluster","code":4001}}"#);
        assert_eq!(told, [r#"refused: pusher:error: {"message":"App key not in this cluster","code":4001}"#]);
        assert_eq!(trial.text("?"), ["malformed"]);
        let published = r#"{"channel":"load","data":"M1","event":"client-load"}"#;
        assert_eq!(trial.published("M1", 1), (published.to_owned(), None));
    }
}
