//! The terminal's side of a connection.
