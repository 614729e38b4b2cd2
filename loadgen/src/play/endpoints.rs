//! What a terminal needs to connect: URLs with its own query, headers, subprotocols and credentials.

use std::sync::Arc;

use anyhow::{Context, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::header::HeaderValue;
use muster_net::Tls;
use muster_protocol::TerminalId;

use super::{
    ProgramPipe,
    resolved_url::{ResolvedUrl, resolve},
    socket::{DialTarget, Dialer, TlsTarget},
};
use crate::{
    adapter::{self, Adapter, Credentials, Opening, TerminalIdentity},
    config::{Config, FleetConfig, HandshakeSettings, NamedTemplate, SessionTickets},
};

/// What all terminals share to connect.
pub(super) struct Endpoints {
    adapter: Arc<dyn Adapter>,
    resolved: Vec<ResolvedUrl>,
    fleet: FleetConfig,
    handshake: HandshakeSettings,
    credentials: Credentials,
    program: Option<ProgramPipe>,
    pub(super) tickets: SessionTickets,
}

impl Endpoints {
    /// Looks up the names of the URLs. Fails if one can't be resolved, or if the file of credentials can't be read.
    pub(super) async fn new(config: &Config, program: Option<&ProgramPipe>) -> anyhow::Result<Self> {
        let credentials = config.handshake.credentials.as_deref().map(Credentials::read).transpose()?;
        Ok(Self {
            adapter: adapter::of(config),
            resolved: resolve(&config.fleet).await?,
            fleet: config.fleet.clone(),
            handshake: config.handshake.clone(),
            credentials: credentials.unwrap_or_default(),
            program: program.cloned(),
            tickets: config.tls_tickets,
        })
    }

    /// Returns the settings of one terminal, with its own session tickets. Fails if a text that was filled in is no
    /// header or no part of a URL, or if no token can be signed.
    pub(super) fn dialer(&self, number: usize, id: &TerminalId, seed: u64) -> anyhow::Result<Dialer> {
        let mut who = TerminalIdentity { number, seed, ..TerminalIdentity::named(id.as_str()) };
        who.credential = self.credentials.of(number);
        who.token = match &self.handshake.token {
            Some(token) => Some(who.fill(token)),
            None => self.fleet.signed_token(id)?,
        };
        let login = self.handshake.login.as_ref().map(|login| who.fill(login));
        who.login = login.and_then(|login| login.split_once(':').map(|(user, word)| (user.into(), word.into())));
        let opening = self.adapter.open(&who);
        let headers = self.headers(&mut who, &opening)?;
        let subprotocols = self.handshake.subprotocol.iter().map(|subprotocol| who.fill(subprotocol)).collect();
        let targets = self.targets(&who, &opening)?;
        let (adapter, program) = (self.adapter.clone(), self.program.clone());
        Ok(Dialer { adapter, who, targets, headers, subprotocols, program, source: None, slow: false })
    }

    /// Returns the headers of the handshake. Moves credentials that no frame carries into one of them.
    fn headers(&self, who: &mut TerminalIdentity, opening: &Opening) -> anyhow::Result<Vec<(String, String)>> {
        let named = |named: &NamedTemplate| (named.name.clone(), who.fill(&named.value));
        let mut headers: Vec<_> = self.handshake.header.iter().map(named).collect();
        let cookie = |named: &NamedTemplate| format!("{}={}", named.name, who.fill(&named.value));
        let cookies: Vec<_> = self.handshake.cookie.iter().map(cookie).collect();
        if !cookies.is_empty() {
            headers.push(("Cookie".into(), cookies.join("; ")));
        }
        if !opening.has_credentials {
            let basic = |(user, word): (String, String)| format!("Basic {}", STANDARD.encode(format!("{user}:{word}")));
            let bearer = who.token.take().map(|token| format!("Bearer {token}"));
            let value = bearer.or_else(|| who.login.take().map(basic));
            headers.extend(value.map(|value| ("Authorization".to_owned(), value)));
        }
        for (name, value) in &headers {
            // The value may be secret.
            ensure!(HeaderValue::from_str(value).is_ok(), "the header {name} of terminal {} is no header", who.number);
        }
        Ok(headers)
    }

    fn targets(&self, who: &TerminalIdentity, opening: &Opening) -> anyhow::Result<Arc<[DialTarget]>> {
        let more = self.handshake.query.iter().map(|named| (&named.name, who.fill(&named.value)));
        let more = form_urlencoded::Serializer::new(String::new()).extend_pairs(more).finish();
        let target = |url: &ResolvedUrl| {
            let parts = [url.uri.query().unwrap_or_default(), opening.query.as_str(), more.as_str()];
            let query = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&");
            let query = if query.is_empty() { query } else { format!("?{query}") };
            let scheme = if url.tls.is_some() { "wss" } else { "ws" };
            let authority = url.uri.authority().map_or("", |authority| authority.as_str());
            let uri = format!("{scheme}://{authority}{}{query}", url.uri.path());
            let tls = url.tls.as_ref().map(|tls| TlsTarget { host: url.host.clone(), tls: self.own(tls) });
            let uri = uri.parse().with_context(|| format!("the URL of terminal {}", who.number))?;
            anyhow::Ok(DialTarget { addresses: url.addresses.clone(), tls, uri })
        };
        self.resolved.iter().map(target).collect()
    }

    fn own(&self, tls: &Tls) -> Tls {
        match self.tickets {
            SessionTickets::On => tls.with_own_tickets(),
            SessionTickets::Off => tls.without_tickets(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    /// Returns the dialer of terminal 7 with these flags.
    async fn dialer(flags: &str) -> anyhow::Result<Dialer> {
        let mut config = config(flags);
        config.fleet.url = vec!["ws://127.0.0.1:1/ws?a=b".into()];
        Endpoints::new(&config, None).await?.dialer(7, &"load-7".parse().unwrap(), 99)
    }

    #[tokio::test]
    async fn the_handshake_is_filled_in_for_each_terminal() {
        let dialer = dialer(
            "--target raw --header X-Number={n} --header X-Seed={seed} --cookie sid=s{n} --cookie b=c --query me={id} \
             --query q=a&b --subprotocol v{n} --token t{n}",
        );
        let dialer = dialer.await.unwrap();
        let headers: Vec<_> = dialer.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(headers, ["X-Number: 7", "X-Seed: 99", "Cookie: sid=s7; b=c", "Authorization: Bearer t7"]);
        assert_eq!(dialer.targets[0].uri.to_string(), "ws://127.0.0.1:1/ws?a=b&me=load-7&q=a%26b");
        assert_eq!(dialer.subprotocols, ["v7"]);
    }

    #[tokio::test]
    async fn credentials_are_in_a_header_unless_a_frame_carries_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        std::fs::write(&file, "a\nb\n").unwrap();
        let credentials = format!("--credentials {}", file.display());
        let raw = dialer(&format!("--target raw --login user-{{n}}:{{credential}} {credentials}")).await.unwrap();
        assert_eq!(raw.headers, [("Authorization".to_owned(), format!("Basic {}", STANDARD.encode("user-7:b")))]);
        let stomp = dialer(&format!("--adapter stomp --login user:{{credential}} {credentials}")).await.unwrap();
        assert_eq!((stomp.headers.len(), stomp.who.login), (0, Some(("user".to_owned(), "b".to_owned()))));
        assert!(dialer("--target raw --credentials /absent").await.is_err());
    }

    #[tokio::test]
    async fn muster_is_told_the_id_in_the_query_and_a_value_that_is_no_header_is_refused_without_showing_it() {
        let muster = dialer("").await.unwrap();
        assert_eq!(muster.targets[0].uri.query(), Some("a=b&terminal_id=load-7"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        std::fs::write(&file, "se\u{1}cret\n").unwrap();
        let flags = format!("--target raw --header X={{credential}} --credentials {}", file.display());
        let told = dialer(&flags).await.err().unwrap().to_string();
        assert!(told.contains("header X of terminal 7") && !told.contains("cret"), "{told}");
    }
}
