//! How long TLS handshakes took, full ones and those with a session ticket.

use super::Tally;
use crate::{journal::TerminalLog, names};

/// Takes the TLS handshakes out of the record of one terminal, and adds them.
pub fn handshakes(tally: &mut Tally, log: &mut TerminalLog) {
    for handshake in log.handshakes.drain(..) {
        let name = if handshake.is_resumed { names::TLS_RESUMED } else { names::TLS_FULL };
        tally.latency(name).record(handshake.took);
    }
}
