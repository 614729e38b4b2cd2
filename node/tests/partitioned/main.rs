//! Nodes on the partitioned store: what each does there, and what they make of each other.

mod authors;
mod away;
mod clocks;
mod delivery;
mod keys;
mod lists;
mod masters;
mod mend;
mod replicas;
mod requirements;
mod store;
mod trust;
