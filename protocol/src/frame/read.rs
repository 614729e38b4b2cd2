//! How a text is read as a frame: first its `type`, then all of it.

use serde::{Deserialize, de::DeserializeOwned};

/// Why a text is not a frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The text is not JSON, or a field is missing or has the wrong type.
    #[error("{0}")]
    Malformed(#[from] serde_json::Error),
    /// The `type` is none of those that this side receives. Holds the `type`.
    #[error("unknown type {0:?}")]
    UnknownType(String),
}

/// The one field that every frame has. Serde's `tag` can't read frames here: it would buffer the whole frame and lose
/// the text of the payload. So each text is parsed twice.
#[derive(Deserialize)]
struct Head {
    r#type: String,
}

/// Reads a frame whose type is known.
pub(super) fn frame<T: DeserializeOwned, F>(text: &str, wrap: fn(T) -> F) -> Result<F, FrameError> {
    Ok(wrap(serde_json::from_str(text)?))
}

/// Returns the `type` of a frame.
pub(super) fn kind(text: &str) -> Result<String, FrameError> {
    Ok(serde_json::from_str::<Head>(text)?.r#type)
}
