//! MQTT 5 over WebSocket: one topic, with QoS 0 or 1, and with QoS 1 a session that outlives its connections.

mod packet;

use std::{borrow::Cow, time::Duration};

use tokio_tungstenite::tungstenite::Message;

use self::packet::{Packet, ServerPacket};
use super::{
    Adapter, Content, Conversation, DeliveryPromise, Heard, Keepalive, Opening, Promise, Publication, Readiness,
    TerminalIdentity,
};
use crate::{config::AdapterSettings, template::Template};

/// After how many seconds without a packet of the terminal the server gives it up, unless the server says otherwise.
const KEEP_ALIVE: u16 = 60;
/// The packet id of the subscription. Those of messages are greater.
const SUBSCRIPTION: u16 = 1;
/// The greatest packet, in bytes. One that is greater ends the connection.
const MAX_PACKET: usize = 1 << 20;
/// What is resumed: the server keeps it all.
const SESSION: &str = "session";

/// The adapter for MQTT. The channel is a topic.
#[derive(Debug)]
pub struct Mqtt {
    channel: Template,
    publish_to: Template,
    is_at_least_once: bool,
    /// How long the server keeps a session without a connection, in seconds.
    expiry_s: u32,
}

impl Mqtt {
    /// The adapter for these settings; the default topic is `load`. With QoS 1 a session is kept for the `retention`.
    pub fn new(settings: &AdapterSettings, retention: Duration) -> Self {
        let (channel, publish_to) = settings.channels("load");
        let is_at_least_once = settings.qos == 1;
        let expiry_s = if is_at_least_once { retention.as_secs().try_into().unwrap_or(u32::MAX) } else { 0 };
        Self { channel, publish_to, is_at_least_once, expiry_s }
    }
}

impl Adapter for Mqtt {
    fn promise(&self) -> Promise {
        let at_most = "QoS 0: each message at most once, in order of the topic; nothing is replayed";
        let at_least =
            "QoS 1: each message at least once, in order of the topic; a session that the server kept is replayed";
        if !self.is_at_least_once {
            return Promise::at_most_once("mqtt", at_most);
        }
        Promise { delivery: DeliveryPromise::Owed, resumes: true, repeats: true, ..Promise::owed("mqtt", at_least) }
    }

    fn open(&self, _who: &TerminalIdentity) -> Opening {
        Opening { subprotocol: Some("mqtt"), has_credentials: true, ..Opening::default() }
    }

    fn converse(&self, who: &TerminalIdentity, resume: Option<String>) -> Box<dyn Conversation> {
        Box::new(MqttSession {
            client: who.id.clone(),
            topic: who.fill(&self.channel),
            publish_to: who.fill(&self.publish_to),
            // A token is a password of nobody in particular.
            login: who.login.clone().or_else(|| who.token.clone().map(|token| (String::new(), token))),
            qos: u8::from(self.is_at_least_once),
            expiry_s: self.expiry_s,
            resumes: resume.is_some(),
            is_ready: false,
            readiness: Readiness::default(),
            partial: Vec::new(),
        })
    }
}

struct MqttSession {
    client: String,
    topic: String,
    publish_to: String,
    login: Option<(String, String)>,
    qos: u8,
    expiry_s: u32,
    /// Whether the server should have kept a session.
    resumes: bool,
    is_ready: bool,
    readiness: Readiness,
    /// The begin of a packet whose end follows in the next frame.
    partial: Vec<u8>,
}

impl Conversation for MqttSession {
    fn on_open(&mut self, heard: &mut dyn FnMut(Heard<'_>)) {
        let mut connect = Packet::new(0x10);
        connect.text("MQTT").byte(5);
        let has_login = if self.login.is_some() { 0xc0 } else { 0 };
        let is_clean = if self.qos == 0 { 0x02 } else { 0 };
        connect.byte(has_login | is_clean).short(KEEP_ALIVE);
        // The one property is the session expiry interval.
        connect.byte(5).byte(0x11).long(self.expiry_s).text(&self.client);
        if let Some((user, password)) = &self.login {
            connect.text(user).text(password);
        }
        heard(Heard::Reply(connect.frame()));
    }

    fn on_frame(&mut self, frame: &Message, heard: &mut dyn FnMut(Heard<'_>)) {
        let Message::Binary(bytes) = frame else { return heard(Heard::Malformed) };
        if self.partial.is_empty() {
            let rest = self.packets(bytes, heard);
            self.partial.extend_from_slice(rest);
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(bytes);
            let rest = self.packets(&whole, heard).len();
            self.partial = whole.split_off(whole.len() - rest);
        }
        if self.partial.len() > MAX_PACKET {
            heard(Heard::Refused(format!("the server began a packet of more than {MAX_PACKET} bytes")));
        }
    }

    fn publish(&mut self, message: &str, number: u32) -> Publication {
        let id = (number % 60_000) as u16 + SUBSCRIPTION + 1;
        let mut publish = Packet::new(0x30 | self.qos << 1);
        publish.text(&self.publish_to);
        if self.qos > 0 {
            publish.short(id);
        }
        publish.byte(0).bytes(message.as_bytes());
        Publication { frame: publish.frame(), ticket: (self.qos > 0).then_some(id.into()) }
    }

    fn resume_state(&mut self) -> Option<String> {
        (self.qos > 0 && (self.resumes || self.is_ready)).then(|| SESSION.to_owned())
    }
}

impl MqttSession {
    /// Reads whole packets, and returns the rest.
    fn packets<'a>(&mut self, mut bytes: &'a [u8], heard: &mut dyn FnMut(Heard<'_>)) -> &'a [u8] {
        loop {
            match packet::parse(bytes) {
                Ok(Some((received, rest))) => {
                    self.packet(received, heard);
                    bytes = rest;
                }
                Ok(None) => return bytes,
                Err(()) => {
                    heard(Heard::Malformed);
                    return &[];
                }
            }
        }
    }

    fn packet(&mut self, received: ServerPacket<'_>, heard: &mut dyn FnMut(Heard<'_>)) {
        match received {
            ServerPacket::Publish { id, payload } => {
                heard(Heard::Payload(content(payload), 0));
                if let Some(id) = id {
                    heard(Heard::Reply(Packet::new(0x40).short(id).frame()));
                }
            }
            ServerPacket::ConnAck { present, code, keep_alive } => self.connected(present, code, keep_alive, heard),
            ServerPacket::SubAck { code } if code >= 0x80 => {
                heard(Heard::Refused(format!("the server refused the subscription: reason 0x{code:02x}")));
            }
            ServerPacket::SubAck { .. } => self.ready(heard),
            ServerPacket::PubAck { id, code } => {
                let refused = if code >= 0x80 { Err(format!("reason 0x{code:02x}")) } else { Ok(()) };
                heard(Heard::Published(id.into(), refused));
            }
            ServerPacket::Disconnect { code } => {
                heard(Heard::Refused(format!("the server disconnected the terminal: reason 0x{code:02x}")));
            }
            ServerPacket::Other => {}
        }
    }

    fn connected(&mut self, present: bool, code: u8, keep_alive: Option<u16>, heard: &mut dyn FnMut(Heard<'_>)) {
        if code != 0 {
            return heard(Heard::Refused(format!("the server refused the connection: reason 0x{code:02x}")));
        }
        let keep_alive_s = u64::from(keep_alive.unwrap_or(KEEP_ALIVE));
        if keep_alive_s > 0 {
            let every = Duration::from_millis(keep_alive_s * 500);
            self.readiness.keepalive = Some(Keepalive { every, frame: Packet::new(0xc0).frame() });
            self.readiness.silence = Some(every * 3);
        }
        self.readiness.resumed = self.resumes && present;
        let mut subscribe = Packet::new(0x82);
        subscribe.short(SUBSCRIPTION).byte(0).text(&self.topic).byte(self.qos);
        heard(Heard::Reply(subscribe.frame()));
        if present {
            // The session has its subscription, and what it missed follows.
            self.ready(heard);
        }
    }

    fn ready(&mut self, heard: &mut dyn FnMut(Heard<'_>)) {
        if std::mem::replace(&mut self.is_ready, true) {
            return;
        }
        let readiness = std::mem::take(&mut self.readiness);
        let has_gap = self.resumes && !readiness.resumed;
        heard(Heard::Ready(readiness));
        if has_gap {
            heard(Heard::Gap);
        }
    }
}

/// A payload has no kind: text if it can be one.
fn content(payload: &[u8]) -> Content<'_> {
    str::from_utf8(payload).map_or(Content::Binary(payload), |text| Content::Text(Cow::Borrowed(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapter::trial::Trial, config::tests::config};

    fn begun(flags: &str, resume: Option<&str>) -> (Trial, Vec<String>) {
        let config = config(&format!("--adapter mqtt --retention 60s {flags}"));
        let mut trial = Trial::start(&Mqtt::new(&config.adapter, config.retention), resume);
        let opened = trial.opened();
        (trial, opened)
    }

    /// As mosquitto 2.0 answers a connection: topic alias maximum 10, receive maximum 20.
    fn connack(present: u8) -> Vec<u8> {
        [0x20, 0x09, present, 0, 6, 0x22, 0, 10, 0x21, 0, 20].to_vec()
    }

    const SUBACK: [u8; 6] = [0x90, 4, 0, 1, 0, 0];
    const READY: &str = "ready silence 90s keepalive 30s c000";
    const SUBSCRIBE: &str = "82 0a 0001 00 0004 6c6f6164 ";

    fn hex(text: &str) -> String {
        text.replace(' ', "")
    }

    #[test]
    fn a_terminal_is_ready_when_its_subscription_is_acknowledged() {
        let (mut trial, opened) = begun("", None);
        let connect =
            "10 28 0004 4d515454 05 c2 003c 05 11 00000000 0006 6c6f61642d37 0004 75736572 0008 70617373776f7264";
        assert_eq!(opened, [format!("binary reply {}", hex(connect))]);
        assert_eq!(trial.binary(&connack(0)), [format!("binary reply {}", hex(&format!("{SUBSCRIBE}00")))]);
        assert_eq!(trial.binary(&SUBACK), [READY]);
        assert_eq!(trial.binary(b"\x30\x0b\x00\x04load\x00M1ab"), ["payload M1ab copy 0"]);
        assert_eq!(trial.binary(&[0xd0, 0]), Vec::<String>::new(), "an answer to a ping");
        assert_eq!(trial.published("M1", 4), (hex("30 09 0004 6c6f6164 00 4d31"), None));
        assert_eq!(trial.resume_state(), None);
    }

    #[test]
    fn packets_may_be_split_and_joined_by_frames() {
        let (mut trial, _) = begun("", None);
        trial.binary(&connack(0));
        trial.binary(&SUBACK);
        let two = *b"\x30\x0b\x00\x04load\x00M1ab\x30\x0b\x00\x04load\x00M1cd";
        assert_eq!(trial.binary(&two), ["payload M1ab copy 0", "payload M1cd copy 0"]);
        assert_eq!(trial.binary(&two[..15]), ["payload M1ab copy 0"]);
        assert_eq!(trial.binary(&two[15..]), ["payload M1cd copy 0"]);
        for byte in &two[..12] {
            assert_eq!(trial.binary(&[*byte]), Vec::<String>::new());
        }
        assert_eq!(trial.binary(&two[12..13]), ["payload M1ab copy 0"]);
    }

    #[test]
    fn with_qos_1_each_message_is_acknowledged_and_a_kept_session_resumes() {
        let (mut trial, _) = begun("--qos 1", None);
        trial.binary(&connack(0));
        assert_eq!(trial.binary(&SUBACK), [READY]);
        let told = trial.binary(b"\x32\x0d\x00\x04load\x00\x09\x00M1ab");
        assert_eq!(told, ["payload M1ab copy 0", "binary reply 40020009"]);
        assert_eq!(trial.published("M1", 4), (hex("32 0b 0004 6c6f6164 0006 00 4d31"), Some(6)));
        assert_eq!(trial.binary(&[0x40, 2, 0, 6]), ["published 6"]);
        assert_eq!(trial.binary(&[0x40, 4, 0, 6, 0x97, 0]), ["published 6: reason 0x97"]);
        let state = trial.resume_state();

        let (mut trial, opened) = begun("--qos 1", state.as_deref());
        assert!(opened[0].contains("05c0003c05110000003c"), "not clean, kept for 60 s: {opened:?}");
        let told = trial.binary(&connack(1));
        assert_eq!(told[1], READY.replace("ready", "ready resumed"));
        assert_eq!(trial.binary(&SUBACK), Vec::<String>::new());

        let (mut trial, _) = begun("--qos 1", state.as_deref());
        trial.binary(&connack(0));
        assert_eq!(trial.binary(&SUBACK), [READY, "gap"]);
    }

    #[test]
    fn refusals_and_broken_packets_are_told() {
        let (mut trial, _) = begun("", None);
        assert_eq!(trial.binary(&[0x20, 3, 0, 0x87, 0]), ["refused: the server refused the connection: reason 0x87"]);
        assert!(trial.binary(&[0x90, 4, 0, 1, 0, 0x87])[0].starts_with("refused"));
        assert!(trial.binary(&[0xe0, 2, 0x8e, 0])[0].starts_with("refused"));
        assert!(trial.binary(&[0xe0, 0])[0].starts_with("refused"));
        assert_eq!(trial.binary(&[0x30, 2, 0, 9]), ["malformed"]);
        assert_eq!(trial.binary(&[0x30, 0xff, 0xff, 0xff, 0xff, 1]), ["malformed"]);
        assert_eq!(trial.text("x"), ["malformed"]);
    }
}
