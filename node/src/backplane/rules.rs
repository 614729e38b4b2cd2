//! Rules that hold on every backplane, stated once. The memory backplane uses them from here; the scripts of the Redis
//! backplane get the values in their first lines (`redis/partition/scripts.rs`).

use std::time::Duration;

use jiff::Timestamp;
use muster_protocol::api::{Protocol, TargetState};

/// The most events that are stored. When there are more, the oldest are dropped. With events of at most 8 KiB that is
/// 80 MB.
pub const EVENTS_MAX: usize = 10_000;

/// The most revocations that are stored; a further one is refused. The bound exists because nodes check each handshake
/// against all of them, and read all of them when one is made.
pub const REVOCATIONS_MAX: u64 = 4096;

/// The most enrolments that are stored. A further one is refused.
pub const ENROLMENTS_MAX: u64 = 10_000;

/// The most operators' keys that are listed. When there are so many, the API makes no further key, and a key that
/// `muster-node key` makes is not listed.
pub const OPERATOR_KEYS_MAX: u64 = 4096;

/// The most rollouts that are open at once. A further one is refused until one is done or stopped.
pub const ROLLOUTS_OPEN_MAX: usize = 16;

/// The most rollouts that are stored. The oldest settled rollouts make room for new ones.
pub const ROLLOUTS_MAX: usize = 256;

/// The most bytes of a rollout's record. Its request may take a quarter of them, its portions the rest.
pub const ROLLOUT_BYTES: usize = 256 << 10;

/// How long a node carries rollouts on unless it asks again, which it does each second.
pub const ROLLOUTS_CARRIED_FOR: Duration = Duration::from_secs(5);

/// The most targets of a rollout that one call freezes or reads.
pub const ROLLOUT_STEP: usize = 512;

/// The most saved selectors. A saved selector has at most 2 KiB of text.
pub const SAVED_SELECTORS_MAX: u64 = 128;

/// The most notices that are stored. A further one is refused.
pub const NOTICES_MAX: u64 = 32;

/// The most bytes of bodies that wait for the receiver of one notice. When there are so many, a new message is lost,
/// and counted.
pub const NOTICE_BYTES: u64 = 1 << 20;

/// The most attempts of a notice that are stored. The oldest make room for new ones.
pub const NOTICE_ATTEMPTS: usize = 50;

/// The most terminals without a session that one call looks at, and that one message names.
pub const NOTICE_PORTION: usize = 100;

/// How long a node carries notices on unless it asks again, which it does each second.
pub const NOTICES_CARRIED_FOR: Duration = Duration::from_secs(5);

/// The most entries of each log of the audit that one call looks at.
pub const AUDIT_LOOK: usize = 256;

/// When one call has read so many bytes of a log of the audit, it reads no further.
pub const AUDIT_READ_BYTES: usize = 256 << 10;

/// How long the store remembers which batches of audit records a process has written. A node asks again each second.
pub const AUDIT_WRITER_TTL: Duration = Duration::from_secs(24 * 3600);

/// How long an Idempotency-Key is stored.
pub const KEY_TTL: Duration = Duration::from_secs(24 * 3600);

/// How long a ticket is good.
pub const TICKET_TTL: Duration = Duration::from_secs(30);

/// The most tickets that a partition stores. A further one is refused until one is used or expires.
pub const TICKETS_MAX: usize = 1000;

/// The store refuses new terminals while more ordinals are free than this number, and more than [`FREE_ORDINALS_SHARE`]
/// times the ordinals in use. A free ordinal is not given again at once. So without this rule a client that invents an
/// id for each connection would fill the store.
pub const FREE_ORDINALS_MIN: usize = 1000;

/// See [`FREE_ORDINALS_MIN`].
pub const FREE_ORDINALS_SHARE: usize = 4;

/// How often a warning and an event say that new terminals are refused.
pub const REFUSALS_TOLD: Duration = Duration::from_secs(60);

/// How long the store remembers that it ended a session, for a node that did not learn of the end. A node that is
/// without Redis for longer may register the session again.
pub const ENDED_TTL: Duration = Duration::from_secs(24 * 3600);

/// How many broadcasts before a terminal's cursor are looked at when the terminal joins, because their acknowledgements
/// may have been lost on the way. A client remembers far more commands than this, so it recognizes each command that it
/// has run already.
pub const LOOK_BACK: usize = 256;

/// A terminal is contested when its sessions have replaced each other this often within [`CONTEST_WINDOW`]. That
/// happens if two programs use the same id. From then on a new session waits for [`contest_delay`] before it replaces
/// the older one.
pub const CONTESTED_AFTER: u32 = 5;

/// The time in which replacements are counted.
pub const CONTEST_WINDOW: Duration = Duration::from_secs(60);

/// The most replacements of one terminal that are remembered. With so many the delay has reached its bound.
pub const CONTEST_MAX: u32 = CONTESTED_AFTER + 10;

/// Returns how long a new session of a contested terminal waits after this many replacements: 250 ms at first, twice as
/// long with each further replacement, and 15 s at most.
pub fn contest_delay(replacements: u32) -> Duration {
    const LONGEST: Duration = Duration::from_secs(15);
    let doublings = replacements.saturating_sub(CONTESTED_AFTER).min(10);
    Duration::from_millis(250).saturating_mul(1 << doublings).min(LONGEST)
}

/// Returns whether a command may still be sent.
pub fn is_live(expires_at: Timestamp, cancelled: bool, now: Timestamp) -> bool {
    !cancelled && expires_at > now
}

/// Returns whether a broadcast that may still be sent is sent to a terminal that joins and has reached `state` of it. A
/// `muster.v1` terminal gets everything that it has not acknowledged again, because it recognizes a command that comes
/// twice. A plain terminal does not recognize such a command.
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
