//! A terminal against a node that follows a script.

mod limit;
mod reconnect;
mod script;
mod session;
