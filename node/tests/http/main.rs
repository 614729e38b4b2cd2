//! What a node does with requests and handshakes before there is a session.

mod origins;
mod plain_mode;
mod requests;
mod strict;
