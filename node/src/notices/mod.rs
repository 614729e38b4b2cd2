//! Notices: what operators hear without looking. A node posts messages to the URLs that operators have set.
//!
//! ```text
//!   events ──▶ heard ─────────────────┐
//!   away (offline for so long) ──┼──▶ carrier ──▶ store: messages are queued, and how far all has come, in one step
//!   nodes that are lost ──────────────┘                  │
//!                                     round (one a notice) ◀──▶ sender ──▶ receiver
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `heard.rs` | which events a message tells of |
//! | `message.rs` | makes a message |
//! | `turn.rs` | what is decided in one turn, until the store takes it |
//! | `carrier.rs` | takes turns |
//! | `events.rs` | reads events, and queues the messages that tell of them |
//! | `away.rs` | terminals that are offline for so long, and those whose events were lost |
//! | `round.rs` | tries the messages of one notice that are due |
//! | `retry.rs` | whether and when a message is tried again |
//! | `sender.rs`, `url.rs`, `address.rs` | posts a message, only to where it may go |
//! | `signature.rs` | signs a message |
//!
//! Any node carries notices on. One does at a time: it holds a lease that runs out with it, and the store takes a step only from that node
//! and from the revision that the step was decided on. A message leaves the store once its receiver has it or it is given up. So each
//! message is posted at least once, and perhaps again after a node has died; its id tells.

mod address;
mod away;
mod carrier;
mod events;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod heard;
mod message;
mod retry;
mod round;
mod sender;
mod signature;
mod turn;
mod url;

pub use self::{
    carrier::NoticeCarrier,
    message::test_message,
    round::try_once,
    sender::NoticeSender,
    url::{NoticeUrl, URL_MAX},
};
