//! One suite for both backplanes: what holds for a node alone must hold for a cluster.

mod audited;
mod binary;
mod cells;
mod cluster;
mod counts;
mod deaf;
mod delivery;
mod done;
mod drained;
mod ends;
mod enrolled;
mod events;
mod history;
mod keys;
mod life;
mod limited;
mod refused;
mod registry;
mod resume;
mod revoked;
mod rollouts;
mod saved_selectors;
mod selectors;
mod signed_in;
mod tickets;
