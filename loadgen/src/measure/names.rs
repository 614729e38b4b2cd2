//! The names of the times that are measured, in reports and in SLOs.

/// From when it was due to when a terminal had it. The headline.
pub const LIVE: &str = "live";
/// From when it was sent.
pub const SERVICE: &str = "service";
/// From when it was due to when a terminal had it by replay.
pub const REPLAY: &str = "replay";
/// From when a terminal was to connect to when it was ready, retries included.
pub const CONNECT: &str = "connect";
/// One attempt that succeeded.
pub const ATTEMPT: &str = "attempt";
/// From when a broadcast was due to when its last receiver had it.
pub const LAST: &str = "last";
/// From when a command to one terminal was due to when that had it.
pub const COMMAND: &str = "command";
/// To when the server showed its ack.
pub const ACK: &str = "ack";
/// To when the server showed its result.
pub const RESULT: &str = "result";
/// From when a message was due to when it was sent: the generator's own delay.
pub const LAG: &str = "lag";
/// From when a message was sent to when the server had taken it.
pub const ACCEPT: &str = "accept";
/// From a lost session to the next one.
pub const RECONNECT: &str = "reconnect";
/// From a lost session to the last message that it had missed.
pub const CAUGHT_UP: &str = "caught_up";
/// How much too late a thread of the generator was woken.
pub const CANARY: &str = "canary";
