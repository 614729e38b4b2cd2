//! How long TLS handshakes took, full ones and those with a session ticket.

use super::Tally;
use crate::{journal::TerminalLog, names};

/// Adds the TLS handshakes of one terminal.
pub fn handshakes(tally: &mut Tally, log: &TerminalLog) {
    for handshake in &log.handshakes {
        let name = if handshake.is_resumed { names::TLS_RESUMED } else { names::TLS_FULL };
        tally.latency(name).record(handshake.took);
    }
}
