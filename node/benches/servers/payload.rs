//! What is broadcast.

/// Bytes of payload.
pub const PAYLOAD: usize = 128;
