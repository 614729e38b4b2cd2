//! A command as an operator asks for it, and what can be seen of its life.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::{CommandState, TargetState};
use crate::{CommandId, Payload, Selector, TerminalId};

/// The body of `POST /v1/commands`. A field that is not listed here is an error, so that a typo is not silently ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRequest {
    /// Which terminals.
    pub target: Selector,
    /// What to do.
    pub name: String,
    /// With what.
    #[serde(default)]
    pub payload: Payload,
    /// How long it may wait before it must not be run any more: `"60s"`, `"2h"`.
    #[serde(default = "default_expiry", with = "humantime_serde")]
    pub expires_in: Duration,
    /// What a target must do for the command to be done with it.
    #[serde(default)]
    pub confirm: Confirm,
    /// What becomes of targets that are not on the line.
    #[serde(default)]
    pub offline: Offline,
    /// Each terminal waits a random share of this before it runs the command, so that a fleet does not answer in one instant.
    #[serde(default, with = "humantime_serde")]
    pub stagger: Duration,
    /// So many targets a second are sent to; all at once unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

/// An operator looks at a screen: what was not delivered in a minute is no longer what was meant, unless they say so.
fn default_expiry() -> Duration {
    Duration::from_secs(60)
}

/// What a target must do for a command to be done with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirm {
    /// Nothing: sent is enough.
    None,
    /// Acknowledge it.
    #[default]
    Ack,
    /// Tell how it ended.
    Result,
}

/// What becomes of a target that is not on the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offline {
    /// It gets the command when it comes back before the command expires.
    #[default]
    Queue,
    /// It is no target; one that was named is an error.
    Skip,
}

/// A command as `202 Accepted` and `GET /v1/commands/{id}` show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandView {
    /// Its id.
    pub id: CommandId,
    /// What it asks.
    pub name: String,
    /// Whether more can happen.
    pub state: CommandState,
    /// How many terminals it is for; fixed at acceptance.
    pub targets: u64,
    /// How many of them are in each state; one that nobody is in may be left out.
    pub counts: BTreeMap<TargetState, u64>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// After when it is not run.
    pub expires_at: Timestamp,
    /// Shown only if false: the store was away, the terminal got it directly, and nothing can be looked up later.
    #[serde(default = "stored", skip_serializing_if = "is_stored")]
    pub stored: bool,
    /// With `?wait`, for a few targets: what became of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<TargetView>>,
}

fn stored() -> bool {
    true
}

fn is_stored(stored: &bool) -> bool {
    *stored
}

/// One target of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetView {
    /// Which terminal.
    pub terminal: TerminalId,
    /// Where it stands.
    pub state: TargetState,
    /// When it reached each step that it did; every end is one step, `ended`.
    pub at: BTreeMap<String, Timestamp>,
    /// What the terminal last said of it, in a progress or a result.
    pub payload: Payload,
}

/// `GET /v1/commands/{id}/targets`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetPage {
    /// In the order of their ids.
    pub targets: Vec<TargetView>,
    /// To be sent as `after` for the next page.
    pub next: Option<TerminalId>,
}

/// The answer to `?dry_run=1`: nothing was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRun {
    /// How many terminals it would be for.
    pub targets: u64,
    /// How many of them are on the line.
    pub online: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_needs_a_target_and_a_name_and_knows_its_fields() {
        let request: CommandRequest = serde_json::from_str(r#"{"target":{"all":true},"name":"reboot"}"#).unwrap();
        assert_eq!((request.expires_in, request.payload.as_json()), (Duration::from_secs(60), "null"));
        assert_eq!((request.confirm, request.offline), (Confirm::Ack, Offline::Queue));
        let typo = serde_json::from_str::<CommandRequest>(r#"{"target":{"all":true},"name":"x","expire_in":"1s"}"#)
            .unwrap_err();
        assert!(typo.to_string().contains("expire_in"), "{typo}");
    }
}
