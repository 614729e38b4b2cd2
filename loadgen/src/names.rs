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
/// A TLS handshake without a session ticket, from the first byte to the last.
pub const TLS_FULL: &str = "tls_full";
/// A TLS handshake that a session ticket made short.
pub const TLS_RESUMED: &str = "tls_resumed";
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

/// Every name above.
pub const LATENCIES: [&str; 16] = [
    LIVE,
    SERVICE,
    REPLAY,
    CONNECT,
    ATTEMPT,
    TLS_FULL,
    TLS_RESUMED,
    LAST,
    COMMAND,
    ACK,
    RESULT,
    LAG,
    ACCEPT,
    RECONNECT,
    CAUGHT_UP,
    CANARY,
];

/// The points of a distribution that reports show and SLOs may name, with the share of the samples at or below each.
pub const POINTS: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];

/// The counts that SLOs may name. Those of the ledger leave out terminals that are mute or slow by plan.
pub const COUNTS: [&str; 27] = [
    "expected",
    "on_time",
    "late",
    "replayed",
    "signalled_gap",
    "silently_lost",
    "lost",
    "other_kind",
    "still_away",
    "not_promised",
    "dup_wire",
    "dup_app",
    "reorder_wire",
    "reorder_app",
    "corrupt",
    "misdelivered",
    "phantom",
    "from_replaced",
    "refused",
    "indeterminate",
    "accepted",
    "dropped",
    "failed_attempts",
    "unsent",
    "never_connected",
    "never_answered",
    "never_recovered",
];
