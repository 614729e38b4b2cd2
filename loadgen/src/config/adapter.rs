//! The protocol that terminals speak, and its settings.

use std::{str::FromStr, time::Duration};

use anyhow::{bail, ensure};
use clap::{Args, ValueEnum};

use crate::template::Template;

/// The protocols that terminals can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AdapterKind {
    /// Muster's own protocol.
    #[value(name = "muster.v1")]
    MusterV1,
    /// Muster's plain mode.
    #[value(name = "muster.plain")]
    MusterPlain,
    /// Bare messages, of any server that relays them.
    Raw,
    /// Socket.IO 4.
    #[value(name = "socket.io")]
    SocketIo,
    /// Centrifugo's JSON protocol.
    Centrifugo,
    /// STOMP 1.2.
    Stomp,
    /// Pusher's protocol 7.
    Pusher,
    /// MQTT 5 over WebSocket.
    Mqtt,
    /// graphql-transport-ws.
    Graphql,
}

impl AdapterKind {
    /// Whether the server is Muster.
    pub fn is_muster(self) -> bool {
        matches!(self, Self::MusterV1 | Self::MusterPlain)
    }

    /// Whether terminals subscribe to a channel.
    pub fn has_channel(self) -> bool {
        !self.is_muster() && self != Self::Raw
    }

    /// Whether a newer connection of a terminal takes over from the one before. Of a raw server nobody knows.
    pub fn takes_over(self) -> bool {
        self.is_muster() || matches!(self, Self::Raw | Self::Mqtt)
    }
}

/// The protocol that terminals speak, and its settings.
#[derive(Debug, Clone, Default, Args)]
pub struct AdapterSettings {
    /// The protocol that terminals speak. By default muster.v1, or raw with --target raw
    #[arg(long, value_enum, value_name = "NAME")]
    pub adapter: Option<AdapterKind>,

    /// What terminals subscribe to: an event of Socket.IO (message, or /NAMESPACE,EVENT), a channel of Centrifugo or Pusher, a
    /// destination of STOMP, a topic of MQTT, or an operation of GraphQL. May name {n}, {id}, {seed} and {credential}
    #[arg(long, value_name = "TEMPLATE", value_parser = Template::of_terminal)]
    pub channel: Option<Template>,

    /// With --send-by socket: where messages are published, if not to the --channel
    #[arg(long, value_name = "TEMPLATE", value_parser = Template::of_terminal)]
    pub publish_to: Option<Template>,

    /// With --send-by socket and Socket.IO: ask for an ack of each message. Without it, a message that was written counts as
    /// accepted. The other protocols acknowledge always or never
    #[arg(long)]
    pub publish_ack: bool,

    /// With STOMP and GraphQL: the server confirms no subscription, so a terminal is ready once it has subscribed
    #[arg(long)]
    pub unconfirmed: bool,

    /// With MQTT: 0 delivers at most once, 1 at least once with a session that the server keeps for the --retention
    #[arg(long, value_name = "0|1", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=1))]
    pub qos: u8,

    /// With a raw server: a message that each terminal sends once it is connected. May be given several times, and may name
    /// {n}, {id}, {seed} and {credential}
    #[arg(long, value_name = "TEMPLATE", value_parser = Template::of_terminal)]
    pub first_message: Vec<Template>,

    /// With a raw server: messages are binary frames
    #[arg(long)]
    pub binary: bool,

    /// With a raw server: how often a terminal sends a ping, a frame of WebSocket or the --ping-message
    #[arg(long = "ping", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub ping_every: Option<Duration>,

    /// With --ping: the message that is the ping. May name {n}, {id}, {seed} and {credential}
    #[arg(long, value_name = "TEMPLATE", value_parser = Template::of_terminal, requires = "ping_every")]
    pub ping_message: Option<Template>,

    /// With a raw server: a text from the server that is no message but a ping, and what a terminal answers: ping=pong. May be
    /// given several times
    #[arg(long, value_name = "TEXT=TEMPLATE")]
    pub answer: Vec<FrameAnswer>,
}

/// A ping that terminals send.
#[derive(Debug, Clone)]
pub struct FramePing {
    /// The time from one ping to the next.
    pub every: Duration,
    /// The message; `None` for a ping of WebSocket.
    pub message: Option<Template>,
}

/// A text from a server, and the answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameAnswer {
    /// The whole text.
    pub to: String,
    /// The answer.
    pub with: Template,
}

impl FromStr for FrameAnswer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (to, with) = text.split_once('=').ok_or("an answer is TEXT=TEMPLATE, such as ping=pong")?;
        Ok(Self { to: to.to_owned(), with: Template::of_terminal(with)? })
    }
}

impl AdapterSettings {
    /// What terminals subscribe to, and where messages are published; `default` for both.
    pub fn channels(&self, default: &str) -> (Template, Template) {
        let channel = self.channel_or(default);
        (channel.clone(), self.publish_to.clone().unwrap_or(channel))
    }

    /// What terminals subscribe to, by default this text, which has no placeholder.
    pub fn channel_or(&self, default: &str) -> Template {
        self.channel.clone().unwrap_or_else(|| Template::literal(default))
    }

    /// Where messages are published, by default this text, which has no placeholder.
    pub fn publish_to_or(&self, default: &str) -> Template {
        self.publish_to.clone().unwrap_or_else(|| Template::literal(default))
    }

    /// The ping that terminals send, if any.
    pub fn ping(&self) -> Option<FramePing> {
        self.ping_every.map(|every| FramePing { every, message: self.ping_message.clone() })
    }

    /// Fails with the flag that is not for this adapter.
    pub fn check(&self, kind: AdapterKind) -> anyhow::Result<()> {
        let others = [
            ("--channel", self.channel.is_some() && !kind.has_channel()),
            ("--publish-to", self.publish_to.is_some() && !kind.has_channel()),
            ("--unconfirmed", self.unconfirmed && !matches!(kind, AdapterKind::Stomp | AdapterKind::Graphql)),
            ("--qos", self.qos > 0 && kind != AdapterKind::Mqtt),
            ("--publish-ack", self.publish_ack && kind != AdapterKind::SocketIo),
        ];
        if let Some((flag, _)) = others.iter().find(|(_, is_wrong)| *is_wrong) {
            bail!("{flag} is of no use with this --adapter: leave it out");
        }
        let raw = [
            ("--first-message", !self.first_message.is_empty()),
            ("--binary", self.binary),
            ("--ping", self.ping_every.is_some()),
            ("--answer", !self.answer.is_empty()),
        ];
        if let Some((flag, _)) = raw.iter().find(|(_, is_given)| *is_given && kind != AdapterKind::Raw) {
            bail!("{flag} works only with --adapter raw: other protocols have their own");
        }
        ensure!(self.ping_every.is_none_or(|every| !every.is_zero()), "--ping must be longer than 0s");
        Ok(())
    }

    /// The texts that name a terminal.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let answers = self.answer.iter().map(|answer| &answer.with);
        let channels = self.channel.iter().chain(&self.publish_to);
        channels.chain(&self.first_message).chain(&self.ping_message).chain(answers)
    }
}
