//! A terminal against a node that follows a script.

mod reconnect;
mod script;
mod session;
