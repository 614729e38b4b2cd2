//! One attacker.

use std::sync::Arc;

use rand::rngs::ChaCha8Rng;

use super::{
    kind::AttackKind::{self, Churn},
    tally::AttackTally,
    victim::Victim,
};

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
    /// Its id as a terminal. All attackers of a churn are one terminal, which so is in many places at once.
    pub fn terminal(&self) -> String {
        match self.kind {
            Churn => self.victim.terminal("churn"),
            _ => self.victim.terminal(self.number),
        }
    }
}
