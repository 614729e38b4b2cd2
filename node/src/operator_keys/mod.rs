//! `muster-node key list` and `muster-node key revoke`. Both ask a node, by its API: so they need neither the cluster's secret nor a
//! password of Redis, and the audit has who revoked a key.

mod client;

use anyhow::ensure;
use clap::Subcommand;
use muster_protocol::api::{KeyPage, OperatorKey, RevokedKey};

use self::client::ApiClient;
pub use self::client::ApiFlags;
use crate::auth::written;

/// The most pages of a list that are asked for: more than all keys need that a store lists.
const PAGES_MAX: usize = 200;

/// What to do with keys that were made before.
#[derive(Debug, Subcommand)]
pub enum KeyCall {
    /// List the keys that a node knows: those that were made by POST /v1/keys, and others once they were used. A tab is between two columns
    List {
        #[command(flatten)]
        /// Whom to ask.
        api: ApiFlags,
    },
    /// Revoke a key: within 2 s every node refuses it, and streams that live by it end
    Revoke {
        /// The key's id: `jti` of the key, as `key list` shows it
        id: String,

        #[command(flatten)]
        /// Whom to ask.
        api: ApiFlags,
    },
}

/// Does what is asked. Returns the text to print.
///
/// # Errors
/// If the node can't be asked, or refuses.
#[tokio::main(flavor = "current_thread")]
pub async fn run(call: KeyCall) -> anyhow::Result<String> {
    match call {
        KeyCall::List { api } => list(&ApiClient::of(&api)?).await,
        KeyCall::Revoke { id, api } => revoke(&id, &ApiClient::of(&api)?).await,
    }
}

async fn list(client: &ApiClient) -> anyhow::Result<String> {
    let mut lines = vec!["id\tname\tscope\tlimits\texpires\tlast used\trevoked".to_owned()];
    let mut path = "/v1/keys?limit=1000".to_owned();
    for _ in 0..PAGES_MAX {
        let page: KeyPage = client.ask("GET", &path).await?;
        lines.extend(page.keys.iter().map(line));
        let Some(next) = page.next else { return Ok(lines.join("\n")) };
        path = format!("/v1/keys?limit=1000&after={next}");
    }
    anyhow::bail!("the list does not end after {PAGES_MAX} pages")
}

async fn revoke(id: &str, client: &ApiClient) -> anyhow::Result<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    ensure!(!id.is_empty() && id.bytes().all(is_plain), "ID: the id of a key has only A-Z a-z 0-9 - . _ ~ here");
    let revoked: RevokedKey = client.ask("DELETE", &format!("/v1/keys/{id}")).await?;
    let unknown = if revoked.known { "" } else { ", which is not in the list of keys (it may never have been used)" };
    Ok(format!("revoked until {}: {id}{unknown}", revoked.expires_at))
}

/// A key as a line of the list. Names come from whoever made the key, so control characters are not printed.
fn line(key: &OperatorKey) -> String {
    let OperatorKey { id, name, scope, limits, expires_at, last_used_at, revoked, .. } = key;
    let mut limited = vec![written(&limits.labels)];
    limited.extend(limits.commands.iter().map(|name| format!("command {name}")));
    limited.retain(|limit| !limit.is_empty());
    let used = last_used_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    let revoked = if *revoked { "revoked" } else { "" };
    let scope = scope.to_string();
    let fields =
        [id.as_str(), name, &scope, &limited.join(", "), &expires_at.to_string(), &used, revoked].map(printable);
    fields.join("\t")
}

fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_line() {
        let key: OperatorKey = serde_json::from_str(
            r#"{"id":"i","name":"a\tb\n","scope":"command","labels":{"shop":"7"},"commands":["show"],"kid":null,"by":null,
                "created_at":null,"expires_at":"2026-01-01T00:00:00Z","revoked":true}"#,
        )
        .unwrap();
        assert_eq!(line(&key), "i\ta?b?\tcommand\tshop=7, command show\t2026-01-01T00:00:00Z\tnever\trevoked");
    }
}
