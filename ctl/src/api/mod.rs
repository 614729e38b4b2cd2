//! Calls of the HTTP API: one call, one connection, bounded in time and bytes.

mod connection;
mod page;
mod stream;

use std::time::Duration;

use hyper::{Method, StatusCode, body::Bytes};
use muster_protocol::{CommandId, api::Problem};
use serde::de::DeserializeOwned;

pub use self::{connection::ClusterApi, page::ListQuery, stream::ServerEvent};

/// How long a call may take. A command takes some seconds if replicas must have a copy of it.
const WITHIN: Duration = Duration::from_secs(30);
/// The largest answer, in bytes: a page of the largest targets has fewer.
const BYTES_MAX: usize = 64 << 20;

/// Why a call has no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No connection was made, so nothing was changed.
    #[error("{0}. Is it the right --url, and does the node or the proxy run?")]
    Unreachable(String),
    /// A connection was made, and no answer came: whether the call had an effect is unknown.
    #[error("no answer: {0}")]
    Unanswered(String),
    /// The node refused the call. The text is the node's.
    #[error("{}", refusal(*.0, .1))]
    Refused(StatusCode, Box<Problem>),
    /// The answer is not one of this API.
    #[error("the answer is not one of Muster's API: {0}. Is it the right --url?")]
    Malformed(String),
}

impl ApiError {
    /// Returns the command that is stored although the call failed: not each partition has its share yet.
    pub fn stored(&self) -> Option<CommandId> {
        match self {
            Self::Refused(_, problem) => problem.command,
            _ => None,
        }
    }

    /// Returns whether the call can't be done as things are.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(StatusCode::CONFLICT, _))
    }

    /// Returns whether it is unknown what became of the call.
    pub fn leaves_it_open(&self) -> bool {
        match self {
            Self::Unanswered(_) => true,
            Self::Refused(status, _) => *status == StatusCode::GATEWAY_TIMEOUT,
            Self::Unreachable(_) | Self::Malformed(_) => false,
        }
    }

    /// Returns whether the same call may succeed if it is made again: no node answered, or the store did not.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Unanswered(_) => true,
            Self::Refused(status, problem) => {
                matches!(status.as_u16(), 429 | 502 | 503 | 504) && problem.command.is_none()
            }
            Self::Malformed(_) => false,
        }
    }
}

fn refusal(status: StatusCode, problem: &Problem) -> String {
    let advice = match status {
        StatusCode::UNAUTHORIZED => ". Give an operator's key with --key-file; muster-node key makes one",
        _ => "",
    };
    format!("{} ({}){advice}", in_own_words(&problem.detail), status.as_u16())
}

/// The calls that a node's text may advise, and the commands of this program that make them.
const LISTS: [(&str, &str); 5] = [
    ("GET /v1/nodes lists", "muster nodes lists"),
    ("GET /v1/keys lists", "muster keys ls lists"),
    ("GET /v1/notices lists", "muster notices ls lists"),
    ("GET /v1/selectors lists", "muster selector ls lists"),
    ("GET /v1/enrolments lists", "muster enrol ls lists"),
];

/// Returns the node's text with commands of this program in place of calls of the API.
fn in_own_words(detail: &str) -> String {
    LISTS.iter().fold(detail.to_owned(), |text, (call, command)| text.replace(call, command))
}

/// An answer that is a success.
#[derive(Debug)]
pub struct ApiAnswer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

impl ApiAnswer {
    /// Reads the body.
    ///
    /// # Errors
    /// If the body is not what the call answers.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(|error| ApiError::Malformed(error.to_string()))
    }

    /// Returns the body as the node wrote it, without the line break at its end.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.body.trim_ascii_end())
    }
}

impl ClusterApi {
    /// Makes a call without a body.
    ///
    /// # Errors
    /// If no answer comes, or the answer is no success.
    pub async fn call(&self, method: Method, path: &str) -> Result<ApiAnswer, ApiError> {
        self.send(method, path, String::new(), None).await
    }

    /// Asks for what is at a path.
    ///
    /// # Errors
    /// As [`call`](Self::call), or if the answer can't be read.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.call(Method::GET, path).await?.read()
    }
}
