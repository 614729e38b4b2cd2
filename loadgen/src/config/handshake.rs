//! What terminals say of themselves in the handshake, and how they prove who they are.

use std::{path::PathBuf, str::FromStr};

use anyhow::{bail, ensure};
use clap::Args;
use hyper::header::HeaderName;

use super::AdapterKind;
use crate::template::Template;

/// What terminals say of themselves in the handshake. Each text may name `{n}`, `{id}`, `{seed}` and `{credential}`.
#[derive(Debug, Clone, Default, Args)]
pub struct HandshakeSettings {
    /// A header of the handshake. May be given several times. {n} is the terminal's number from 0, {id} its id, which is new in
    /// each run, {seed} a number of its own that follows from --seed, {credential} its line of --credentials
    #[arg(long, value_name = "NAME=TEMPLATE", value_parser = NamedTemplate::header)]
    pub header: Vec<NamedTemplate>,

    /// A cookie of the handshake. May be given several times
    #[arg(long, value_name = "NAME=TEMPLATE")]
    pub cookie: Vec<NamedTemplate>,

    /// A pair that is added to the query of the URL. May be given several times
    #[arg(long, value_name = "NAME=TEMPLATE")]
    pub query: Vec<NamedTemplate>,

    /// A subprotocol to ask for, besides that of the adapter. May be given several times
    #[arg(long, value_name = "TEMPLATE", value_parser = Template::of_terminal)]
    pub subprotocol: Vec<Template>,

    /// A user and a password of each terminal, where the protocol has them: in the header Authorization (Basic), in CONNECT of
    /// STOMP and MQTT, in the auth of Socket.IO; for Pusher the key and the secret of the app
    #[arg(long, value_name = "USER:PASSWORD", value_parser = login)]
    pub login: Option<Template>,

    /// A token of each terminal, where the protocol has one: in the header Authorization (Bearer), in CONNECT of STOMP, in the
    /// password of MQTT, in connect of Centrifugo, in the auth of Socket.IO, in connection_init of GraphQL
    #[arg(long, value_name = "TEMPLATE", value_parser = Template::of_terminal)]
    pub token: Option<Template>,

    /// A file with a credential in each line, which templates name as {credential}. Terminal n has line n modulo their number
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
}

/// A name and a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTemplate {
    /// The name.
    pub name: String,
    /// The text.
    pub value: Template,
}

impl FromStr for NamedTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("it is NAME=TEMPLATE")?;
        Ok(Self { name: name.to_owned(), value: Template::of_terminal(value)? })
    }
}

impl NamedTemplate {
    /// Parses a header. Those of the handshake itself are refused.
    fn header(text: &str) -> Result<Self, String> {
        let header: Self = text.parse()?;
        let name = HeaderName::try_from(header.name.as_str()).map_err(|_| "the name is no name of a header")?;
        let is_ours = name.as_str().starts_with("sec-websocket-") || ["connection", "upgrade"].contains(&name.as_str());
        if is_ours {
            return Err("the handshake needs this header for itself; subprotocols are given by --subprotocol".into());
        }
        Ok(header)
    }
}

fn login(text: &str) -> Result<Template, String> {
    let has_both = text.split_once(':').is_some_and(|(user, _)| !user.is_empty());
    if has_both { Template::of_terminal(text) } else { Err("it is USER:PASSWORD".into()) }
}

impl HandshakeSettings {
    /// Fails if a flag is not for this adapter.
    pub fn check(&self, kind: AdapterKind) -> anyhow::Result<()> {
        if kind.is_muster() && (self.login.is_some() || self.token.is_some()) {
            bail!("--login and --token are for other servers: Muster's terminals have tokens that --secret signs");
        }
        ensure!(
            self.login.is_none() || self.token.is_none() || kind.has_channel(),
            "give --login or --token, not both"
        );
        Ok(())
    }

    /// The texts that name a terminal.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let named = self.header.iter().chain(&self.cookie).chain(&self.query).map(|named| &named.value);
        named.chain(&self.subprotocol).chain(&self.login).chain(&self.token)
    }
}
