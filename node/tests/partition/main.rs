//! One partition of the store, on a real Redis: each step by itself.

mod steps;
mod store;
