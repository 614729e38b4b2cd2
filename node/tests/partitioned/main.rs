//! Nodes on the partitioned store: what each does there, and what they make of each other.

mod authors;
mod delivery;
mod keys;
mod lists;
mod mend;
mod store;
mod trust;
