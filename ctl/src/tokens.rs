//! Tokens of terminals that are refused though they have not expired.

use hyper::Method;
use muster_protocol::api::{Revocation, RevocationRequest};

use crate::{
    api::{ClusterApi, ListQuery},
    cli::{RowLimit, TokenRevoke, TokenVerb},
    exit::Exit,
    list::ShownList,
    text::{Printer, ago, moment, one_line, token_words},
};

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
        one_line(&format!("{}: {} revoked until {}", made.id, token_words(&made.tokens), moment(made.expires_at)))
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
        token_words(&revocation.tokens),
        ago(revocation.created_at),
        if revocation.by.is_empty() { "-".to_owned() } else { revocation.by.clone() },
        moment(revocation.expires_at),
    ]
}
