//! One partition of the store, on a real Redis: each step by itself.

mod fixtures;
mod inbox;
mod missed;
mod sessions;
mod steps;
mod store;
mod terminals;
