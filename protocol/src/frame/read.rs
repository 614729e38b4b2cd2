//! How a text is read as a frame, whoever says it: its `type` first, then all of it.

use serde::{Deserialize, de::DeserializeOwned};

/// Why a text is no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// No JSON, or a field is missing or of another kind.
    #[error("{0}")]
    Malformed(#[from] serde_json::Error),
    /// JSON with a `type` that this side does not know.
    #[error("unknown type {0:?}")]
    UnknownType(String),
}

/// The head of every frame. A derived `tag` would buffer the whole frame and lose each payload's text, hence two readings.
#[derive(Deserialize)]
struct Head {
    r#type: String,
}

/// The whole frame, of a kind that is known.
pub(super) fn frame<T: DeserializeOwned, F>(text: &str, wrap: fn(T) -> F) -> Result<F, FrameError> {
    Ok(wrap(serde_json::from_str(text)?))
}

/// The `type`.
pub(super) fn kind(text: &str) -> Result<String, FrameError> {
    Ok(serde_json::from_str::<Head>(text)?.r#type)
}
