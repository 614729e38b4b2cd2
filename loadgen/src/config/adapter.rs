//! The protocol that terminals speak, and its settings.

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::RawSettings;
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
    /// The protocol of the program of --adapter-cmd.
    #[value(skip)]
    Program,
}

impl AdapterKind {
    /// Whether the server is Muster.
    pub fn is_muster(self) -> bool {
        matches!(self, Self::MusterV1 | Self::MusterPlain)
    }

    /// Whether terminals subscribe to a channel.
    pub fn has_channel(self) -> bool {
        !self.is_muster() && !matches!(self, Self::Raw | Self::Program)
    }

    /// Whether a newer connection of a terminal takes over from the one before. Of a raw server, and of a program's, nobody knows.
    pub fn takes_over(self) -> bool {
        self.is_muster() || matches!(self, Self::Raw | Self::Program | Self::Mqtt)
    }
}

/// The protocol that terminals speak, and its settings.
#[derive(Debug, Clone, Default, Args)]
pub struct AdapterSettings {
    /// The protocol that terminals speak. By default muster.v1, or raw with --target raw
    #[arg(long, value_enum, value_name = "NAME")]
    pub adapter: Option<AdapterKind>,

    /// A command that starts a program which speaks the protocol for all terminals, by lines of JSON on its stdin and stdout
    /// (docs/measuring.md). Times include the pipe to it
    #[arg(long, value_name = "COMMAND", conflicts_with = "adapter")]
    pub adapter_cmd: Option<String>,

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

    /// The protocol of a raw server.
    #[command(flatten)]
    pub raw: RawSettings,
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
        if let Some(flag) = self.raw.given().next().filter(|_| kind != AdapterKind::Raw) {
            bail!("{flag} works only with --adapter raw: other protocols have their own");
        }
        self.raw.check()
    }

    /// The texts that name a terminal.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.channel.iter().chain(&self.publish_to).chain(self.raw.templates())
    }
}
