//! What an attacker does: it attacks until the program ends, on one connection after the other.

use std::time::Duration;

use rand::RngExt;
use tokio::time;

use super::{attacker::Attacker, flood, kind::AttackKind::*, stall, storm, tally::AttackEnd};

/// The longest pause after a connection that was to last, and after one of a storm, in milliseconds.
const PAUSE: u64 = 1000;
const STORM_PAUSE: u64 = 50;

impl Attacker {
    /// Attacks. Never returns.
    pub async fn attack(mut self) {
        loop {
            // They do not all begin in the same moment.
            let most = if self.is_of_storm() { STORM_PAUSE } else { PAUSE };
            time::sleep(Duration::from_millis(self.rng.random_range(0..most))).await;
            self.tally.begun(self.kind);
            let end = self.once().await.unwrap_or_else(|end| end);
            self.tally.ended(self.kind, end);
        }
    }

    fn is_of_storm(&self) -> bool {
        matches!(self.kind, BadTokens | BadKeys | LargeCommands | Churn)
    }

    /// Attacks on one connection, and returns how it ended. An error is an end before the attack had begun.
    async fn once(&mut self) -> Result<AttackEnd, AttackEnd> {
        match self.kind {
            Pings | Pongs | Messages | Continuations | Acks | Health | Events => flood::run(self).await,
            Heads => stall::head(self).await,
            Bodies => stall::body(self).await,
            Silent => stall::silence(self).await,
            Deaf => stall::deaf(self).await,
            HalfHandshakes => stall::no_hello(self).await,
            BadTokens => storm::bad_token(self).await,
            BadKeys => storm::command(self, "no.k.ey").await,
            LargeCommands => storm::command(self, self.victim.key()).await,
            EventStreams => stall::event_stream(self).await,
            Churn => storm::churn(self).await,
        }
    }
}
