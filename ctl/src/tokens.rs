//! Tokens of terminals that are refused though they have not expired.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use hyper::Method;
use jiff::Timestamp;
use muster_protocol::{
    TerminalId,
    api::{Revocation, RevocationRequest, RevokedTokens},
};
use uuid::Uuid;

use crate::{
    api::{ClusterApi, ListQuery},
    cli::RowLimit,
    completion::CandidateKind,
    exit::Exit,
    list::ShownList,
    text::{Printer, ago, moment, one_line},
};

#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Revoke tokens: within 2 s every node refuses them and ends their sessions. A token that is made later lets the terminal in again
    Revoke(TokenRevoke),
    /// List what is revoked, the newest first
    Revoked {
        #[command(flatten)]
        limit: RowLimit,
    },
    /// Take a revocation back: the tokens are accepted again
    TakeBack {
        /// The revocation's id, as `muster tokens revoked` shows it
        #[arg(add = CandidateKind::Revocations.completer())]
        revocation: Uuid,
    },
}

/// Which tokens. Those that have all of what is given.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["terminal", "operator", "token_id", "kid", "issued_before"]))]
pub struct TokenRevoke {
    /// Tokens of this terminal
    #[arg(long, value_name = "ID", conflicts_with = "operator", add = CandidateKind::Terminals.completer())]
    pub terminal: Option<TerminalId>,
    /// Keys of this operator
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
    /// The token with this id (its claim `jti`)
    #[arg(long, value_name = "ID")]
    pub token_id: Option<String>,
    /// Tokens that the key of this name has signed
    #[arg(long, value_name = "NAME")]
    pub kid: Option<String>,
    /// Tokens that were issued in this second or before, such as 2026-01-31T08:00:00Z. Default: now, and without it if --token-id is given
    #[arg(long, value_name = "TIME")]
    pub issued_before: Option<Timestamp>,
    /// How long they are refused: as long as they would be valid
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = humantime::parse_duration)]
    pub expires_in: Duration,
}

/// Does what is asked of the tokens.
pub async fn run(api: &ClusterApi, out: &Printer, verb: TokenVerb) -> anyhow::Result<Exit> {
    match verb {
        TokenVerb::Revoke(which) => revoke(api, out, which).await,
        TokenVerb::Revoked { limit } => list(api, out, limit).await,
        TokenVerb::TakeBack { revocation } => {
            let answer = api.call(Method::DELETE, &format!("/v1/revocations/{revocation}")).await?;
            out.either(&answer.text(), || format!("{revocation}: taken back; sessions that were ended stay ended"))?;
            Ok(Exit::Done)
        }
    }
}

async fn revoke(api: &ClusterApi, out: &Printer, which: TokenRevoke) -> anyhow::Result<Exit> {
    let TokenRevoke { terminal, operator, token_id, kid, issued_before, expires_in } = which;
    let request = RevocationRequest { terminal, operator, token_id, kid, issued_before, expires_in };
    let answer = api.send(Method::POST, "/v1/revocations", serde_json::to_string(&request)?, None).await?;
    let made: Revocation = answer.read()?;
    out.either(&answer.text(), || {
        one_line(&format!("{}: {} revoked until {}", made.id, described(&made.tokens), moment(made.expires_at)))
    })?;
    Ok(Exit::Done)
}

async fn list(api: &ClusterApi, out: &Printer, limit: RowLimit) -> anyhow::Result<Exit> {
    let shown = ShownList {
        field: "revocations",
        cursor: "after",
        head: ["REVOCATION", "TOKENS", "AGE", "BY", "UNTIL"],
        cells,
    };
    shown.print(api, out, ListQuery::new("/v1/revocations"), limit).await
}

fn cells(revocation: &Revocation) -> [String; 5] {
    [
        revocation.id.to_string(),
        described(&revocation.tokens),
        ago(revocation.created_at),
        if revocation.by.is_empty() { "-".to_owned() } else { revocation.by.clone() },
        moment(revocation.expires_at),
    ]
}

/// Which tokens, such as `terminal=t1 issued until 2026-01-31T08:00:00Z`.
pub fn described(tokens: &RevokedTokens) -> String {
    let terminal = tokens.terminal.as_ref().map(ToString::to_string);
    let named =
        [("terminal", &terminal), ("operator", &tokens.operator), ("token", &tokens.token_id), ("kid", &tokens.kid)];
    let named = named.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}")));
    let issued = tokens.issued_before.map(|at| format!("issued until {}", moment(at)));
    named.chain(issued).collect::<Vec<_>>().join(" ")
}
