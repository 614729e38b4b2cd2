//! Checks before a run that Muster's API takes the operator's key. Otherwise the API would accept no message, and only
//! the end of the run would say so.

use std::time::Duration;

use anyhow::anyhow;
use hyper::StatusCode;
use tokio::time::timeout;

use crate::{
    config::{Config, ServerKind},
    play::{
        api::{Api, RequestError},
        tls_check,
    },
};

/// How long the API may take to answer before the run.
const PATIENCE: Duration = Duration::from_secs(5);

/// Checks before the run that Muster's API is reachable and accepts the key. The check posts an empty body, which
/// the API refuses as a command after it has checked the key, so no command is created. Fails if the API can't be
/// reached, does not answer within [`PATIENCE`], or refuses the key. Does nothing for a raw target.
pub async fn ask(config: &Config) -> anyhow::Result<()> {
    for uri in config.api.iter().filter(|_| config.server() == ServerKind::Muster) {
        let api = Api::new(uri, config)?;
        let asked = timeout(PATIENCE, api.post("/v1/commands", String::new)).await;
        // A node answers 400 with a JSON object. A server of TLS answers something else, or not at all.
        if !matches!(&asked, Ok(Ok((status, body))) if *status != StatusCode::BAD_REQUEST || body.starts_with(b"{")) {
            tls_check::not_tls("--api", uri).await?;
        }
        let answered =
            asked.map_err(|_| anyhow!("--api {uri} did not answer within {PATIENCE:?}: is it a node's API?"))?;
        let (status, answer) = answered.map_err(|trouble| match trouble {
            RequestError::Unsent(error) | RequestError::Unanswered(error) => error.context(format!("--api {uri}")),
        })?;
        if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
            let answer = String::from_utf8_lossy(&answer);
            anyhow::bail!("--key (or MUSTER_KEY) is refused: {status}: {answer}");
        }
    }
    Ok(())
}
