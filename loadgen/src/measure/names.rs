//! The names of the times that are measured, as reports and SLOs use them. Messages count from when they were due by
//! the schedule unless stated otherwise; in a closed loop a message is due when it is sent.

/// From when a message was due until a terminal had it live: the main figure of a run.
pub const LIVE: &str = "live";
/// From when a message was sent until a terminal had it live.
pub const SERVICE: &str = "service";
/// From when a message was due until a terminal had it by replay.
pub const REPLAY: &str = "replay";
/// From when the plan has a terminal connect until it is ready, retries included.
pub const CONNECT: &str = "connect";
/// From the beginning of a successful attempt until the terminal is ready.
pub const ATTEMPT: &str = "attempt";
/// From when a message to all terminals was due until the last steady terminal had it.
pub const LAST: &str = "last";
/// From when a command to one terminal was due until the terminal had it.
pub const COMMAND: &str = "command";
/// From when a command to one terminal was due until the server showed its ack.
pub const ACK: &str = "ack";
/// From when a command to one terminal was due until the server showed its result.
pub const RESULT: &str = "result";
/// From when a message was due until it was sent: the generator's own delay.
pub const LAG: &str = "lag";
/// From when a message was sent until the server answered.
pub const ACCEPT: &str = "accept";
/// From the loss of a session until the next session of the same stay is ready.
pub const RECONNECT: &str = "reconnect";
/// From the loss of a session until the terminal had the last message that it had missed.
pub const CAUGHT_UP: &str = "caught_up";
/// How much later than requested a sleeping thread of the generator was woken.
pub const CANARY: &str = "canary";
