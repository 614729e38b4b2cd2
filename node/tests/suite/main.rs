//! One suite for both backplanes: what holds for a node alone must hold for a cluster.

mod binary;
mod cluster;
mod deaf;
mod delivery;
mod done;
mod ends;
mod enrolled;
mod events;
mod history;
mod life;
mod refused;
mod registry;
mod resume;
mod revoked;
mod tickets;
