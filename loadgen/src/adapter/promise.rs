//! What a protocol promises, and so what a terminal is owed.

use serde::{Deserialize, Serialize};

/// What a protocol promises.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// The name of the adapter.
    pub adapter: String,
    /// What the protocol promises in words, as the report shows it.
    pub text: String,
    /// Whether a message may be lost while a session is.
    pub delivery: DeliveryPromise,
    /// Whether a server can resume a session and replay what the terminal missed.
    pub resumes: bool,
    /// Whether a message may come again: the protocol allows it, or its clients discard copies by their ids.
    pub repeats: bool,
    /// Whether times include a pipe to a program that speaks the protocol. Absent in older files: false.
    #[serde(default)]
    pub pipe: bool,
}

/// Whether a message may be lost while a session is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryPromise {
    /// A terminal that the plan has connected is owed each message, whatever happens to its session.
    #[default]
    Owed,
    /// A message is delivered at most once: what is sent while no session lasts is lost, and the protocol does not say so.
    AtMostOnce,
}

impl Promise {
    /// A promise that each message is delivered once, and nothing is replayed.
    pub(super) fn owed(adapter: &str, text: &str) -> Self {
        let (adapter, text) = (adapter.into(), text.into());
        Self { adapter, text, delivery: DeliveryPromise::Owed, resumes: false, repeats: false, pipe: false }
    }

    /// A promise that each message is delivered at most once.
    pub(super) fn at_most_once(adapter: &str, text: &str) -> Self {
        Self { delivery: DeliveryPromise::AtMostOnce, ..Self::owed(adapter, text) }
    }
}
