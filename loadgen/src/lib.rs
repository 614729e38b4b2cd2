//! `muster-loadgen`: plays thousands of terminals that come and go, and measures latency and every loss.
//!
//! ```text
//!   config ──▶ plan ──▶ play ──▶ journal ──▶ measure ──▶ verdict ──▶ report
//!               │       fleet, operator        ▲  tally
//!               └──────────── intent ──────────┘
//! ```
//!
//! What is to happen is computed from a seed before it begins; what does happen is only written down; when all is over, the one is
//! held against the other. So no time depends on how an earlier one went, no loss hides behind another, and pacing, playing,
//! measuring and printing never mix.
//!
//! In reading order: [`clock`] is the run's time, [`config`] what is asked for, [`preflight`] whether this machine can do it, [`plan`] the
//! schedule, [`message`] what is sent, [`play`] carries it out, [`journal`] is what was seen, [`measure`] judges it, [`health`] looks at the
//! generator and the servers, [`verdict`] says what it proves, [`report`] and [`view`] show it, [`run`] strings all of them together,
//! [`distributed`] does so with several generators, [`null`] is a server that does nothing, to measure the instrument itself, [`compare`] sets
//! runs side by side, [`hold`] holds terminals for scripts, and [`cli`] is the command line.

pub mod cli;
pub mod clock;
pub mod compare;
pub mod config;
pub mod console;
pub mod distributed;
pub mod health;
pub mod hold;
pub mod interrupt;
pub mod journal;
pub mod marks;
pub mod measure;
pub mod message;
pub mod names;
pub mod null;
pub mod plan;
pub mod play;
pub mod preflight;
pub mod report;
pub mod run;
pub mod verdict;
pub mod view;

pub use config::Config;
