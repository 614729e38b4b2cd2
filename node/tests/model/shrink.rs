//! Makes a failing sequence short.

use std::time::Instant;

use muster_protocol::partition::Partitions;

use crate::{SHRINKING, operation::Operation, run::World};

/// The shortest sequence that was found to fail, with its difference: first long parts are left out, then single operations.
pub fn shortest(
    world: &mut World,
    partitions: Partitions,
    sequence: Vec<Operation>,
    difference: String,
) -> (Vec<Operation>, String) {
    let (began, mut best) = (Instant::now(), (sequence, difference));
    let mut part = best.0.len() / 2;
    while part > 0 {
        let (mut from, mut is_shorter) = (0, false);
        while from < best.0.len() && began.elapsed() < SHRINKING {
            let mut shorter = best.0.clone();
            shorter.drain(from..(from + part).min(best.0.len()));
            match world.run(partitions, &shorter) {
                Err(difference) => (best, is_shorter) = ((shorter, difference), true),
                Ok(()) => from += part,
            }
        }
        part = if is_shorter && part == 1 && began.elapsed() < SHRINKING { 1 } else { part / 2 };
    }
    best
}
