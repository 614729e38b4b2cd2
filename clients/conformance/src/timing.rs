//! How long the kit waits. What must not come earlier is judged strictly; what must come at all has all the time that a busy machine needs.

use std::time::Duration;

/// How long a program may take from its start to its first handshake.
pub const START: Duration = Duration::from_secs(30);

/// How long anything else may take that must come.
pub const SOON: Duration = Duration::from_secs(8);

/// How long to look for what must not come, once everything before it has come.
pub const QUIET: Duration = Duration::from_millis(150);

/// By how much a timer of the client may be early: clocks are read in milliseconds.
pub const EARLY: Duration = Duration::from_millis(5);

/// What a busy machine may add to a delay of the client.
pub const LATE: Duration = Duration::from_millis(3000);

/// So many milliseconds.
pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
