//! One partition of the store, on a real Redis: each step by itself.

mod accept;
mod bounds;
mod commands;
mod done;
mod enrolments;
mod event_notes;
mod fixtures;
mod fleet;
mod held;
mod history;
mod inbox;
mod keys;
mod leases;
mod lookups;
mod missed;
mod raised;
mod registry;
mod resume;
mod revocations;
mod selection;
mod sessions;
mod shares;
mod states;
mod steps;
mod store;
mod terminals;
