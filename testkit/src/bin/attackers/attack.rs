//! One attacker: it attacks until the program ends, on one connection after the other.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, rngs::ChaCha8Rng};
use tokio::time;

use super::{
    flood,
    kind::AttackKind::{self, *},
    stall, storm,
    tally::{AttackEnd, AttackTally},
    victim::Victim,
};

/// The longest pause after a connection that was to last, and after one of a storm, in milliseconds.
const PAUSE: u64 = 1000;
const STORM_PAUSE: u64 = 50;

/// One attacker.
pub struct Attacker {
    /// What it does.
    pub kind: AttackKind,
    /// Its number among all attackers.
    pub number: usize,
    /// Whom it attacks.
    pub victim: Arc<Victim>,
    /// Where it counts.
    pub tally: Arc<AttackTally>,
    /// Its chance.
    pub rng: ChaCha8Rng,
}

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

    /// Its id as a terminal. All attackers of a churn are one terminal, which so is in many places at once.
    pub fn terminal(&self) -> String {
        match self.kind {
            Churn => self.victim.terminal("churn"),
            _ => self.victim.terminal(self.number),
        }
    }
}
