//! The bounds that a request for a command must keep.

use std::{ops::RangeInclusive, time::Duration};

use hyper::{Response, StatusCode};
use muster_protocol::{Selector, api::CommandRequest};

use super::{
    answer::{Body, problem},
    request::bad,
};
use crate::backplane::redis::partition::named::NAMED_MAX as FEW_MAX;

/// The longest name of a command, in bytes. Names are for people, and for a terminal to branch on.
const NAME_MAX: usize = 128;
/// The most terminals that a request may name. The bound exists because the node looks up each of them.
pub const NAMED_MAX: usize = 10_000;
/// The longest payload of a command for many, in bytes of JSON. The bound exists because each partition stores the
/// payload, and each node gets it from each partition. For a command for few, `--max-body` is the only bound.
const MANY_PAYLOAD_MAX: usize = 64 << 10;
/// The longest `expires_in`: a command that waits for longer than a year is a mistake.
const EXPIRY_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// The bounds of `rate` in targets per second; the least is one target in a quarter of an hour.
pub const RATES: RangeInclusive<f64> = 0.001..=1e6;

/// Checks that a request keeps these bounds.
///
/// # Errors
/// A refusal that names the field and its bound: 413 for the payload, 400 for the others.
pub fn check(command: &CommandRequest) -> Result<(), Response<Body>> {
    if command.name.is_empty() || command.name.len() > NAME_MAX {
        return Err(bad(format!("name must have 1 to {NAME_MAX} bytes")));
    }
    if command.expires_in.is_zero() || command.expires_in > EXPIRY_MAX {
        return Err(bad("expires_in must be longer than 0s and at most 366 days"));
    }
    if command.stagger >= command.expires_in {
        return Err(bad("stagger must be shorter than expires_in: a terminal that waits longer would not run it"));
    }
    if command.rate.is_some_and(|rate| !RATES.contains(&rate)) {
        return Err(bad(format!("rate must be {} to {} targets a second", RATES.start(), RATES.end())));
    }
    if matches!(&command.target, Selector::Terminals(ids) if ids.len() > NAMED_MAX) {
        return Err(bad(format!(
            "target names at most {NAMED_MAX} terminals; select more by labels, or by several commands"
        )));
    }
    let bytes = command.payload.as_json().len();
    if bytes > MANY_PAYLOAD_MAX && is_for_many(&command.target) {
        let detail = format!(
            "payload has {bytes} bytes as JSON, and of a command for many terminals it may have {MANY_PAYLOAD_MAX} at most, as each \
             partition stores it; send less, for example a URL, or name at most {FEW_MAX} terminals"
        );
        return Err(problem(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    Ok(())
}

/// Returns whether the store keeps a command as one for many: it names no terminals, or more than 512.
fn is_for_many(target: &Selector) -> bool {
    match target {
        Selector::Terminal(_) => false,
        Selector::Terminals(ids) => ids.len() > FEW_MAX,
        _ => true,
    }
}
