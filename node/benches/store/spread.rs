//! How evenly masters share the work, and how much more three of them carry than one.

use crate::{
    servers::BenchTopology,
    table::{StepRow, Table},
};

/// The steps that must be spread evenly: each concerns one terminal.
pub const JOIN: &str = "a session joins again, nothing open";
/// The same, of commands.
pub const COMMAND: &str = "a command to one terminal";
/// Both as real nodes and terminals make them.
pub const OUTSIDE_JOIN: &str = "outside: a terminal joins again";
/// The same, of commands, from the request to the acknowledgement.
pub const OUTSIDE_COMMAND: &str = "outside: a command to one terminal, to its ack";

/// How far a master's part may be from an even one.
const UNEVEN_MAX: f64 = 0.1;
/// How much more three masters carry than one, at least.
const GAIN_MIN: f64 = 2.2;

/// Compares the rows of both topologies, and forgets them.
pub fn compare(table: &mut Table) {
    let rows = std::mem::take(&mut table.rows);
    let of = |topology, name| rows.iter().find(|row| row.topology == topology && row.name == name);
    for name in [JOIN, COMMAND, OUTSIDE_JOIN, OUTSIDE_COMMAND] {
        let Some(three) = of(BenchTopology::Cluster, name) else { continue };
        for (what, parts) in [("calls", &three.calls), ("CPU", &three.cpu)] {
            let uneven = unevenness(parts);
            table.figure(format!("{name}: {what}, furthest from an even part"), uneven, Some(UNEVEN_MAX), "of it");
        }
        if let Some(one) = of(BenchTopology::One, name) {
            table.at_least(format!("{name}: three masters carry, x one"), gain(one, three), GAIN_MIN);
        }
    }
}

/// How far the part that is furthest from an even one is from it, as a ratio to it.
fn unevenness(parts: &[f64]) -> f64 {
    let even = parts.iter().sum::<f64>() / parts.len() as f64;
    parts.iter().map(|part| (part - even).abs() / even).fold(0.0, f64::max)
}

/// How many more steps a second three masters make, where the busiest of them is the bottleneck.
fn gain(one: &StepRow, three: &StepRow) -> f64 {
    let busiest = three.cpu.iter().fold(0.0, |most: f64, cpu| most.max(*cpu)) / three.cpu.iter().sum::<f64>();
    one.units / (three.units * busiest)
}
