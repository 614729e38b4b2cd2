//! Operators' keys: lists, makes and revokes them.

use hyper::Method;
use muster_protocol::api::{KeyRequest, NewKey, OperatorKey, RevokedKey};

use crate::{
    api::{ClusterApi, ListQuery},
    cli::{KeyVerb, RowLimit},
    exit::Exit,
    list::ShownList,
    text::{Printer, ago, labels, moment, note, one_line, word},
};

/// Does what is asked of the keys.
pub async fn run(api: &ClusterApi, out: &Printer, verb: KeyVerb) -> anyhow::Result<Exit> {
    match verb {
        KeyVerb::Ls { limit } => list(api, out, limit).await,
        KeyVerb::Make { name, scope, valid_for, label, command } => {
            let labels = label.into_iter().collect();
            make(api, out, &KeyRequest { name, scope, valid_for, labels, commands: command }).await
        }
        KeyVerb::Revoke { id } => revoke(api, out, &id).await,
    }
}

async fn list(api: &ClusterApi, out: &Printer, limit: RowLimit) -> anyhow::Result<Exit> {
    let shown = ShownList {
        field: "keys",
        cursor: "after",
        head: ["KEY", "NAME", "SCOPE", "LIMITS", "EXPIRES", "LAST USED", "STATE"],
        cells,
    };
    shown.print(api, out, ListQuery::new("/v1/keys"), limit).await
}

fn cells(key: &OperatorKey) -> [String; 7] {
    let limits = labels(&key.limits.labels);
    let limits = [limits].into_iter().chain(key.limits.commands.iter().cloned()).filter(|limit| !limit.is_empty());
    [
        key.id.clone(),
        key.name.clone(),
        word(&key.scope),
        limits.collect::<Vec<_>>().join(" "),
        moment(key.expires_at),
        key.last_used_at.map_or("-".to_owned(), |at| format!("{} ago", ago(at))),
        if key.revoked { "revoked" } else { "valid" }.to_owned(),
    ]
}

async fn make(api: &ClusterApi, out: &Printer, request: &KeyRequest) -> anyhow::Result<Exit> {
    let answer = api.send(Method::POST, "/v1/keys", serde_json::to_string(request)?, None).await?;
    let made: NewKey = answer.read()?;
    if !out.is_json() {
        note(&one_line(&format!("key {} of {}, until {}", made.made.id, made.made.name, moment(made.made.expires_at))));
    }
    out.either(&answer.text(), || made.key)?;
    Ok(Exit::Done)
}

async fn revoke(api: &ClusterApi, out: &Printer, id: &str) -> anyhow::Result<Exit> {
    anyhow::ensure!(
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte)),
        "an id of a key has the characters A-Z a-z 0-9 . _ : -, as muster keys ls shows it"
    );
    let answer = api.call(Method::DELETE, &format!("/v1/keys/{id}")).await?;
    let revoked: RevokedKey = answer.read()?;
    out.either(&answer.text(), || {
        let known = if revoked.known { "" } else { ". No node knows this key; it is refused all the same" };
        format!("{id}: revoked until {}{known}", moment(revoked.expires_at))
    })?;
    Ok(Exit::Done)
}
