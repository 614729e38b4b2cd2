//! Nodes on the partitioned store: what each does there, and what they make of each other.

mod authors;
mod clocks;
mod delivery;
mod keys;
mod lists;
mod mend;
mod replicas;
mod requirements;
mod store;
mod trust;
