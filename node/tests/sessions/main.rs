//! How a node treats one session: what it closes it with, and what it takes from a terminal that sends too much.

mod closes;
mod discard;
mod flood;
mod queued;
mod raw;
mod renewed;
mod socket;
mod token;
mod will;
