//! What a node does with requests and handshakes before there is a session.

mod budgets;
mod calls;
mod console;
mod exchanges;
mod first_read;
mod heads;
mod origins;
mod plain_mode;
mod refused;
mod requests;
mod strict;
