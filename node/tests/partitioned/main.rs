//! Nodes on the partitioned store: what each does there, and what they make of each other.

mod authors;
mod away;
mod backup;
mod backup_done;
mod backup_files;
mod backup_later;
mod backup_reads;
mod begun;
mod clocks;
mod delivery;
mod done;
mod event_tail;
mod failover;
mod keys;
mod listing;
mod lists;
mod lost;
mod masters;
mod mend;
mod replicas;
mod reports;
mod requirements;
mod schema;
mod store;
mod trust;
mod upkeep;
