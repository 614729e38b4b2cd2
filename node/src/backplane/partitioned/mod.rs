//! The partitioned store of a cluster: `docs/store.md` describes it. It is built beside [`redis`](super::redis), behind the same
//! contract, and replaces it when it passes every test.
//!
//! ```text
//!   one terminal ──▶ routed to its partition ──┐
//!   many, lists, counts ──▶ all partitions ────┼──▶ partition: a whole store under one hash tag
//!                                              └──▶ partition …
//! ```

pub mod partition;
