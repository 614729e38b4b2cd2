//! Rollouts: a command goes out in waves, each once the wave before has succeeded.
//!
//! ```text
//!   record, outcome of the wave, time ──▶ next_step (pure) ──▶ carrier ──▶ store: the record is replaced if nobody has replaced it before
//!                                                                 └──────▶ backplane: each portion of a wave is an ordinary command
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `plan.rs` | which targets each wave has |
//! | `outcome.rs` | what the targets of a wave came to |
//! | `window.rs` | whether a window of time is open |
//! | `step.rs`, `next_step.rs` | the steps; which of them is next |
//! | `sending.rs`, `holding.rs` | the next step while commands may be sent, and while none may |
//! | `carrier.rs` | takes the steps |
//! | `freeze.rs`, `portion.rs` | freezes targets; sends, holds and cancels portions |
//!
//! Any node carries rollouts on. One does at a time, as a rule: it holds a lease that runs out with it. Two at once do no harm. A portion is
//! begun in the record before its command is accepted, and its command is accepted under a key that follows from rollout and portion: who
//! repeats the step finds the command that was accepted.

mod carrier;
mod freeze;
mod holding;
mod next_step;
mod outcome;
mod plan;
mod portion;
mod sending;
mod step;
mod window;

pub use self::{
    carrier::RolloutCarrier,
    outcome::portion_counts,
    plan::{TARGETS_MAX, wave_positions},
    window::time_zone,
};
