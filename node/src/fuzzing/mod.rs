//! What fuzzing runs: for each parser of what someone else sent, a function that takes any bytes and panics if the parser breaks a promise.
//! Each function is a target of `cargo fuzz` (`fuzz/`), and the test below gives it the inputs that were found so far (`fuzz/corpus`).
//!
//! The promises: nothing panics, what is read has a bounded size, and what was read and then written is read alike.
//!
//! A function that needs what only its module has stands there, in a file `fuzzing.rs`.

mod frames;
mod seals;
mod selectors;
mod tokens;
mod websocket;

use self::{
    frames::{from_node, from_terminal},
    seals::{lease, report, sealed_command},
    selectors::{saved_selector, selector},
    tokens::{claims, token},
    websocket::websocket,
};
use crate::{
    auth::fuzzing::{certificate, jwks},
    backplane::redis::fuzzing::{envelope, position},
    http::fuzzing::{head, path, query},
    notices::fuzzing::notice,
    session::fuzzing::session,
};

/// What a target runs.
pub type FuzzTarget = fn(&[u8]);

/// The targets, by their names.
pub const TARGETS: [(&str, FuzzTarget); 19] = [
    ("certificate", certificate),
    ("claims", claims),
    ("envelope", envelope),
    ("from_node", from_node),
    ("from_terminal", from_terminal),
    ("head", head),
    ("jwks", jwks),
    ("lease", lease),
    ("notice", notice),
    ("path", path),
    ("position", position),
    ("query", query),
    ("report", report),
    ("saved_selector", saved_selector),
    ("sealed_command", sealed_command),
    ("selector", selector),
    ("session", session),
    ("token", token),
    ("websocket", websocket),
];

/// Runs the target of this name.
///
/// # Panics
/// If there is none, or if the parser breaks a promise.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(found, _)| *found == name).expect("a target in TARGETS");
    target(bytes);
}

#[cfg(test)]
mod tests {
    use muster_testkit::corpus;

    use super::*;

    #[test]
    fn every_input_that_was_found_keeps_the_promises() {
        for (name, target) in TARGETS {
            for (file, bytes) in corpus::files(name) {
                // What panics is printed after the name of its input.
                println!("{}", file.display());
                target(&bytes);
            }
        }
    }
}
