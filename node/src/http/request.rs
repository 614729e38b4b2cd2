//! Reads a request: its token, its body, its query, and the ids in its path.

use std::str::FromStr;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{Request, Response, StatusCode, body::Incoming, header};
use muster_protocol::{CommandId, TerminalId};
use serde::de::DeserializeOwned;
use tokio::time;

use super::answer::{Body, problem};
use crate::config::Config;

const LIMIT: usize = 100;
/// The most entries of a page.
pub const LIMIT_MAX: usize = 1000;
/// The most entries of a short list, such as operators' keys, that the store looks at for one page.
const LOOK_MAX: u64 = 128;

/// Returns the token in `Authorization: Bearer`.
pub fn bearer<B>(request: &Request<B>) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Reads the whole body. Fails with 413 for a body larger than `--max-body`, with 408 if it takes longer than
/// `--header-timeout`, and with 400 if it ends early.
pub async fn body(body: Incoming, config: &Config) -> Result<Bytes, Response<Body>> {
    let (limit, deadline) = (config.max_body, config.header_timeout);
    match time::timeout(deadline, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("the body is larger than the {limit} bytes that this node takes (--max-body)");
            Err(problem(StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        Ok(Err(_)) => Err(bad("the body ended early")),
        Err(_) => Err(problem(StatusCode::REQUEST_TIMEOUT, "the body did not come in time (--header-timeout)")),
    }
}

/// Reads the body as JSON. `what` names the expected value in the error.
pub fn json<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Response<Body>> {
    serde_json::from_slice(bytes).map_err(|error| bad(format!("the body is no {what}: {error}")))
}

/// Parses the command id in a path.
pub fn command_id(text: &str) -> Result<CommandId, Response<Body>> {
    text.parse().map_err(|_| bad("a command id is a UUID, as POST /v1/commands gave it"))
}

/// Parses the terminal id in a path.
pub fn terminal_id(text: &str) -> Result<TerminalId, Response<Body>> {
    text.parse().map_err(|error: muster_protocol::id::InvalidId| bad(error.to_string()))
}

/// Returns the names of a query's parameters and their values.
pub fn pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

/// Calls `take` for each parameter of a query. Fails with 400 if `take` does. A parameter that the call does not know
/// does not get here: the call's [row](super::routes::Route) has refused it.
pub fn query(text: &str, mut take: impl FnMut(&str, &str) -> Result<(), String>) -> Result<(), Response<Body>> {
    for (name, value) in pairs(text) {
        take(&name, &value).map_err(|detail| bad(format!("{name}: {detail}")))?;
    }
    Ok(())
}

/// Reads the parameters of a page: the most rows, and the `next` of the page before.
pub fn page<C: FromStr>(text: &str) -> Result<(usize, Option<C>), Response<Body>> {
    let (mut limit, mut after) = (Limit::default(), None);
    query(text, |name, value| {
        match name {
            "limit" => limit = value.parse()?,
            "after" => after = Some(value.parse().map_err(|_| "the next of the page before")?),
            _ => {}
        }
        Ok(())
    })?;
    Ok((limit.0, after))
}

/// Reads `limit` and `after` of a short list. Returns how many entries to skip, and how many to look at.
pub fn short_list(text: &str) -> Result<(u64, u64), Response<Body>> {
    let (limit, after) = page(text)?;
    Ok((after.unwrap_or_default(), LOOK_MAX.min(limit as u64)))
}

/// Returns the value of a query's parameter; the first, if there are several.
pub fn parameter(request: &Request<Incoming>, wanted: &str) -> Option<String> {
    let mut all = form_urlencoded::parse(request.uri().query()?.as_bytes());
    all.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
}

/// The size of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub usize);

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT)
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
        limit.map(Self).ok_or_else(|| format!("a number from 1 to {LIMIT_MAX}"))
    }
}

/// Returns a refusal with status 400.
pub fn bad(detail: impl Into<String>) -> Response<Body> {
    problem(StatusCode::BAD_REQUEST, detail)
}
