//! What a node alone stores. It is behind one lock.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use muster_protocol::{SelectorName, TerminalId, api::SavedSelector};

use super::{
    audit_logs::AuditLogs, counted_minutes::CountedMinutes, event_log::EventLog, ordinals::TerminalOrdinals,
    rosters::Rosters, stored_commands::Commands, stored_enrolments::StoredEnrolments, stored_keys::StoredKeys,
    stored_notices::StoredNotices, stored_revocations::StoredRevocations, stored_rollouts::StoredRollouts,
    stored_tickets::Tickets, terminals::Terminals,
};
use crate::backplane::TimeSource;

/// Events may take this part of the bytes that are stored.
const EVENTS_SHARE: u64 = 32;

/// All that is stored.
pub(super) struct NodeStore {
    /// The sequence number of the last accepted command.
    pub(super) number: u64,
    pub(super) ordinals: TerminalOrdinals,
    pub(super) rosters: Rosters,
    pub(super) commands: Commands,
    pub(super) terminals: Terminals,
    pub(super) events: EventLog,
    pub(super) minutes: CountedMinutes,
    pub(super) tickets: Tickets,
    pub(super) revocations: StoredRevocations,
    pub(super) enrolments: StoredEnrolments,
    pub(super) keys: StoredKeys,
    pub(super) rollouts: StoredRollouts,
    pub(super) saved_selectors: BTreeMap<SelectorName, SavedSelector>,
    pub(super) notices: StoredNotices,
    pub(super) audit: AuditLogs,
}

impl NodeStore {
    /// An empty store of at most so many bytes (`--max-stored`).
    pub(super) fn new(clock: &Arc<dyn TimeSource>, max_stored: u64, records_changes: bool) -> Self {
        Self {
            number: clock.now().as_millisecond().unsigned_abs(),
            ordinals: TerminalOrdinals::default(),
            rosters: Rosters::default(),
            commands: Commands::new(clock.clone(), max_stored),
            terminals: Terminals::new(clock.clone(), records_changes),
            events: EventLog::new(max_stored / EVENTS_SHARE),
            minutes: CountedMinutes::default(),
            tickets: Tickets::default(),
            revocations: StoredRevocations::default(),
            enrolments: StoredEnrolments::default(),
            keys: StoredKeys::default(),
            rollouts: StoredRollouts::default(),
            saved_selectors: BTreeMap::new(),
            notices: StoredNotices::default(),
            audit: AuditLogs::default(),
        }
    }

    /// Forgets terminals that were offline for so long.
    pub(super) fn forget_absent(&mut self, after: Duration) {
        for terminal in self.terminals.forget_absent(after) {
            self.forget(&terminal);
        }
    }

    /// Frees what waits for a terminal that is not known any more, and its ordinal.
    pub(super) fn forget(&mut self, terminal: &TerminalId) {
        if let Some(ordinal) = self.ordinals.free(terminal, self.number) {
            self.commands.backlogs.forget(ordinal);
            self.commands.recount();
        }
    }
}
