//! What the store holds, in bytes, by what uses it, with one bound for all.
//!
//! A command's bytes are an upper bound of all that it needs, but for its times, replies and backlog entries: these are counted as they
//! come and go. The sizes are estimates that include what the allocator adds.

/// The bytes of a command beside its texts and its targets.
pub(super) const COMMAND_BYTES: u64 = 1500;
/// The bytes of an idempotency key.
pub(super) const KEY_BYTES: u64 = 300;
/// The bytes of a reply beside its text.
pub(super) const REPLY_BYTES: u64 = 100;
/// The bytes of an entry in a backlog.
pub(super) const BACKLOG_BYTES: u64 = 100;
/// The bytes of an event beside its text.
pub(super) const EVENT_BYTES: u64 = 50;

/// The bytes of a target in the list of a rollout.
pub(super) const ROLLOUT_TARGET_BYTES: u64 = 150;

/// The bytes that are used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UsedBytes {
    pub(super) commands: u64,
    /// When the targets of commands for many reached states.
    pub(super) times: u64,
    pub(super) replies: u64,
    pub(super) keys: u64,
    pub(super) backlogs: u64,
    pub(super) events: u64,
    pub(super) rollouts: u64,
}

impl UsedBytes {
    pub(super) fn total(&self) -> u64 {
        self.commands + self.times + self.replies + self.keys + self.backlogs + self.events + self.rollouts
    }
}

/// The bound, and what is used of it.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) used: UsedBytes,
    bound: u64,
}

impl Budget {
    pub(super) fn new(bound: u64) -> Self {
        Self { used: UsedBytes::default(), bound }
    }

    /// The bytes that are free. At 0 commands are refused, replies are dropped, and states are stored without their times.
    pub(super) fn room(&self) -> u64 {
        self.bound.saturating_sub(self.used.total())
    }
}
