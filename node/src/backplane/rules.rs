//! Rules that hold on every backplane, stated once. The memory backplane calls them; the scripts of the Redis backplane get
//! their values rendered into their first lines (`redis/scripts.rs`).

use std::time::Duration;

use jiff::Timestamp;
use muster_protocol::api::{Protocol, TargetState};

/// Events that are stored. Beyond this the oldest are dropped. With events of at most 8 KiB that is 80 MB.
pub const EVENTS_MAX: usize = 10_000;

/// Revocations that are stored. Beyond this a new one is refused: each handshake is judged by them, and a node reads all of them when one
/// is made.
pub const REVOCATIONS_MAX: u64 = 4096;

/// Enrolments that are stored. Beyond this a new one is refused.
pub const ENROLMENTS_MAX: u64 = 10_000;

/// Operators' keys that are listed. Beyond this no other is made, and one that `muster-node key` made is not listed.
pub const OPERATOR_KEYS_MAX: u64 = 4096;

/// Rollouts that are open at once. Beyond this no other is made until one is done or stopped.
pub const ROLLOUTS_OPEN_MAX: usize = 16;

/// Rollouts that are stored. Beyond this the oldest that are settled make room for new ones.
pub const ROLLOUTS_MAX: usize = 256;

/// The bytes of a rollout's record: its request has a quarter of them at most, its portions the rest.
pub const ROLLOUT_BYTES: usize = 256 << 10;

/// How long a node carries rollouts on unless it asks again, which it does each second.
pub const ROLLOUTS_CARRIED_FOR: Duration = Duration::from_secs(5);

/// Targets of a rollout that are frozen or read in one call.
pub const ROLLOUT_STEP: usize = 512;

/// The most saved selectors. One has at most 2 KiB of text.
pub const SAVED_SELECTORS_MAX: u64 = 128;

/// Notices that are stored. Beyond this no other is set.
pub const NOTICES_MAX: u64 = 32;

/// The bytes of bodies that wait for the receiver of one notice. Beyond this a new message is lost, and counted.
pub const NOTICE_BYTES: u64 = 1 << 20;

/// The attempts of a notice that are stored. Beyond this the oldest make room.
pub const NOTICE_ATTEMPTS: usize = 50;

/// Terminals off the line that one call looks at, and that one message tells of.
pub const NOTICE_PORTION: usize = 100;

/// How long a node carries notices on unless it asks again, which it does each second.
pub const NOTICES_CARRIED_FOR: Duration = Duration::from_secs(5);

/// Entries of each log of the audit that one call looks at.
pub const AUDIT_LOOK: usize = 256;

/// Bytes of each log of the audit beyond which one call reads no further.
pub const AUDIT_READ_BYTES: usize = 256 << 10;

/// How long the store remembers which batches of audit records a process has written. A node asks again each second.
pub const AUDIT_WRITER_TTL: Duration = Duration::from_secs(24 * 3600);

/// How long an Idempotency-Key is stored.
pub const KEY_TTL: Duration = Duration::from_secs(24 * 3600);

/// How long a ticket is good.
pub const TICKET_TTL: Duration = Duration::from_secs(30);

/// Tickets that a partition stores. Beyond this no other is given until one is used or expires.
pub const TICKETS_MAX: usize = 1000;

/// New terminals are refused while more ordinals are free than this, and than [`FREE_ORDINALS_SHARE`] times those in use. An ordinal
/// that was freed is not given again at once, so a client that invents an id for each connection would fill the store.
pub const FREE_ORDINALS_MIN: usize = 1000;

/// See [`FREE_ORDINALS_MIN`].
pub const FREE_ORDINALS_SHARE: usize = 4;

/// How often a warning and an event say that new terminals are refused.
pub const REFUSALS_TOLD: Duration = Duration::from_secs(60);

/// How long the store remembers that it ended a session, for a node that did not hear of it. A node that is without Redis for
/// longer may register the session again.
pub const ENDED_TTL: Duration = Duration::from_secs(24 * 3600);

/// Broadcasts before a terminal's cursor that are looked at when it joins: their acknowledgements may have been lost on the way.
/// Far fewer than the commands that a client remembers, so that a client recognizes each one that it has run already.
pub const LOOK_BACK: usize = 256;

/// A terminal is contested when its sessions have replaced each other this often within [`CONTEST_WINDOW`], as those of two
/// devices with the same id do. From then on a new session waits for [`contest_delay`] before it replaces the older one.
pub const CONTESTED_AFTER: u32 = 5;

/// The time in which replacements are counted.
pub const CONTEST_WINDOW: Duration = Duration::from_secs(60);

/// The replacements of one terminal that are remembered. After so many the delay has reached its bound.
pub const CONTEST_MAX: u32 = CONTESTED_AFTER + 10;

/// How long a new session of a contested terminal waits after this many replacements: 250 ms, twice as long with each further
/// replacement, 15 s at most.
pub fn contest_delay(replacements: u32) -> Duration {
    const LONGEST: Duration = Duration::from_secs(15);
    let doublings = replacements.saturating_sub(CONTESTED_AFTER).min(10);
    Duration::from_millis(250).saturating_mul(1 << doublings).min(LONGEST)
}

/// Whether a command may still be sent.
pub fn is_live(expires_at: Timestamp, cancelled: bool, now: Timestamp) -> bool {
    !cancelled && expires_at > now
}

/// Whether a broadcast that may still be sent is sent to a terminal that joins, given the state that the terminal
/// has reached. To a `muster.v1` terminal everything that it has not acknowledged is sent again, since it recognizes
/// a command that comes twice. A plain terminal does not.
pub fn is_resent(state: TargetState, protocol: Protocol) -> bool {
    match state {
        TargetState::Queued => true,
        TargetState::Sent => protocol == Protocol::V1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contest_delay_doubles_up_to_its_bound() {
        let delays = [5, 6, 7, 10, 11, 100, u32::MAX].map(|times| contest_delay(times).as_millis());
        assert_eq!(delays, [250, 500, 1000, 8000, 15_000, 15_000, 15_000]);
    }

    #[test]
    fn only_what_was_not_acknowledged_is_sent_again() {
        for state in TargetState::ALL {
            let resent = [Protocol::V1, Protocol::Plain].map(|protocol| is_resent(state, protocol));
            assert_eq!(resent, [state.rank() < 2, state.rank() < 1], "{state:?}");
        }
    }

    #[test]
    fn an_expired_or_cancelled_command_is_not_live() {
        let (now, later) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        assert!(is_live(later, false, now));
        assert!(!is_live(later, true, now) && !is_live(now, false, now));
    }
}
