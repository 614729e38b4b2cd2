//! `muster-loadgen`: runs thousands of terminals that connect and disconnect, measures latency, and accounts for every
//! message.
//!
//! ```text
//!   config ──▶ plan ──▶ play ──▶ journal ──▶ measure ──▶ verdict ──▶ report
//!               │                               ▲
//!               └─────── who is owed what ──────┘
//! ```
//!
//! The plan is computed from a seed before the run. During the run, events are recorded in the journal, and what is
//! decided is compared with the plan, forgotten and only counted; the rest is judged after the run. So no send time
//! depends on how an earlier message went, no loss hides another one, and pacing, playing, measuring and printing never
//! mix.
//!
//! The modules are floors: a module imports only from its own floor and from the floors below it (`tests/floors.rs`
//! checks this). From top to bottom:
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | parses the command line and starts a subcommand |
//! | [`card`] | measures a server with a fixed set of scenarios |
//! | [`compare`] | compares the reports of two sets of runs, or several cards |
//! | [`distributed`] | runs one plan on several generators and merges their results |
//! | [`hold`] | keeps terminals connected and prints what they receive, for scripts |
//! | [`null`] | a server that only delivers, to measure the generator itself, or that makes one mistake on purpose |
//! | [`run`] | one run in one process, from its flags to its outputs |
//! | [`view`] | shows the progress of a run |
//! | [`report`] | the result as text, JSON, HTML, JUnit and HdrHistogram files |
//! | [`verdict`] | decides whether a run is valid, correct and within its objectives |
//! | [`health`] | measures the CPU and memory of the generator and the servers |
//! | [`play`] | carries out the plan: terminals connect, messages are sent |
//! | [`measure`] | compares the journal with the plan, in sums and histograms |
//! | [`journal`] | what happened during the run |
//! | [`preflight`] | checks that this machine has the files and ports that a run needs |
//! | [`plan`] | when each terminal is connected and when each message is due |
//! | [`adapter`] | the protocols that terminals can speak, without I/O |
//! | [`config`] | the flags of a run |
//! | [`marks`] | notes of scripts on the time line of a run |
//! | [`clock`] | the time of a run |
//! | [`console`] | lines on stderr |
//! | [`interrupt`] | signals that end a run |
//! | [`message`] | the content of a message |
//! | [`names`] | the names of measured values |
//! | [`pattern`] | texts in which `*` stands for any text |
//! | [`template`] | texts with placeholders |

pub mod adapter;
pub mod card;
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
pub mod pattern;
pub mod plan;
pub mod play;
pub mod preflight;
pub mod report;
pub mod run;
pub mod template;
pub mod verdict;
pub mod view;
