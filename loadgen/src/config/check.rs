//! The checks on flags that involve several of them, or that their parsers do not do.

use anyhow::{bail, ensure};
use hyper::Uri;

use super::{AdapterKind, Arrivals, Config, Leave, SendBy, ServerKind, asks_for_tls};

/// The largest message in bytes. Terminals read frames of 1 MiB; the rest is for what a server puts around a message.
const MAX_PAYLOAD: usize = 1_000_000;

impl Config {
    /// Checks conditions that involve several flags or that their parsers do not check. Errors name the flag and
    /// what it needs.
    pub fn validate(&self) -> anyhow::Result<()> {
        self.check_ways()?;
        self.check_urls()?;
        self.fleet.tls.check(self.asks_for_tls())?;
        let kind = self.adapter_kind();
        self.adapter.check(kind)?;
        self.handshake.check(kind)?;
        let mut templates = self.adapter.templates().chain(self.handshake.templates());
        if self.handshake.credentials.is_none() && templates.any(|template| template.names("credential")) {
            bail!("{{credential}} needs --credentials: a file with a credential in each line");
        }
        if !kind.takes_over() && self.churn.leave.0.iter().any(|(leave, _)| *leave == Leave::Twin) {
            bail!(
                "--leave twin needs a protocol in which a newer connection takes over; with this --adapter none does"
            );
        }
        ensure!(
            self.payload <= MAX_PAYLOAD,
            "--payload {} is more than the generator reads in one message: at most {MAX_PAYLOAD} bytes",
            self.payload
        );
        ensure!(self.fleet.terminals > 0, "--terminals must be at least 1");
        ensure!(!self.duration.is_zero(), "--for must be longer than 0s");
        Ok(())
    }

    /// Checks that the ways by which messages are sent suit the server.
    fn check_ways(&self) -> anyhow::Result<()> {
        match self.server() {
            ServerKind::Muster => {
                ensure!(!self.api.is_empty(), "--api is needed: http://HOST:PORT of a node or of Nginx");
                ensure!(self.send.send_by.is_none(), "--send-by is for other servers: Muster's messages go to --api");
            }
            ServerKind::Raw => {
                ensure!(
                    self.api.is_empty(),
                    "--api works only with --target muster; with --target raw give --post, --send-by, or neither"
                );
                if self.commands != Arrivals::Constant(0.0) {
                    bail!("--commands needs a server that can send to one terminal; --target raw can't");
                }
            }
        }
        ensure!(self.post.is_none() || self.send.send_by.is_none(), "give --post or --send-by, not both");
        if self.adapter_kind() != AdapterKind::Raw && self.send.send_by.as_ref().is_some_and(SendBy::puts_around) {
            bail!("--send-by 'socket BODY' works only with --adapter raw: other protocols have frames of their own");
        }
        let posts = matches!(self.send.send_by, Some(SendBy::Post(..)));
        ensure!(posts || self.send.send_header.is_empty(), "--send-header needs --send-by 'POST URL BODY'");
        Ok(())
    }

    fn check_urls(&self) -> anyhow::Result<()> {
        for (flag, uris) in
            [("--api", &self.api), ("--post", &self.post.iter().cloned().collect()), ("--metrics", &self.costs.metrics)]
        {
            let is_http = |uri: &&Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some();
            if let Some(uri) = uris.iter().find(|uri| !is_http(uri)) {
                bail!("{flag} must be http://HOST:PORT or https://HOST:PORT, not {uri}");
            }
        }
        if let Some(url) = self.fleet.url.iter().find(|url| !url.starts_with("ws://") && !url.starts_with("wss://")) {
            bail!("--url must be ws://HOST:PORT/PATH or wss://HOST:PORT/PATH, not {url}");
        }
        let has_user = |url: &String| {
            url.parse::<Uri>().is_ok_and(|uri| uri.authority().is_some_and(|at| at.as_str().contains('@')))
        };
        ensure!(
            !self.fleet.url.iter().any(has_user),
            "--url has a user in it, which no server would see: give it by --login USER:PASSWORD"
        );
        Ok(())
    }

    fn asks_for_tls(&self) -> bool {
        let sockets = self.fleet.url.iter().filter_map(|url| url.parse().ok());
        let calls = self.api.iter().chain(self.posts_to()).chain(&self.costs.metrics).cloned();
        sockets.chain(calls).any(|uri: Uri| asks_for_tls(&uri))
    }
}
