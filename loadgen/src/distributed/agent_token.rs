//! The token by which an agent knows who may direct it. It is not sent: the coordinator proves that it knows it, by an HMAC of
//! what the agent has just made up.

use clap::Args;
use data_encoding::HEXLOWER;
use ring::hmac;

/// The token that a coordinator and its agents have in common.
#[derive(Clone, Default, Args)]
pub struct AgentToken {
    /// A secret that the coordinator and its agents have in common: an agent that has one obeys nobody who does not know it
    #[arg(long, env = "MUSTER_AGENT_TOKEN", hide_env_values = true, value_name = "SECRET")]
    agent_token: Option<String>,
}

impl AgentToken {
    /// What a coordinator must prove that it knows the token for; `None` if the agent has no token.
    pub fn challenge(&self) -> Option<String> {
        self.agent_token.as_ref().map(|_| HEXLOWER.encode(&rand::random::<[u8; 16]>()))
    }

    /// The proof for a challenge; `None` without a token.
    pub fn proof(&self, challenge: &str) -> Option<String> {
        let key = self.key()?;
        Some(HEXLOWER.encode(hmac::sign(&key, challenge.as_bytes()).as_ref()))
    }

    /// Whether a proof for this challenge is right. Without a token none is.
    pub fn accepts(&self, challenge: &str, proof: &str) -> bool {
        let proof = HEXLOWER.decode(proof.as_bytes());
        self.key().zip(proof.ok()).is_some_and(|(key, proof)| hmac::verify(&key, challenge.as_bytes(), &proof).is_ok())
    }

    fn key(&self) -> Option<hmac::Key> {
        self.agent_token.as_ref().map(|token| hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_of_one_token_and_one_challenge() {
        let token = |text: &str| AgentToken { agent_token: Some(text.into()) };
        let (one, challenge) = (token("one"), token("one").challenge().unwrap());
        let proof = one.proof(&challenge).unwrap();
        assert!(one.accepts(&challenge, &proof) && !proof.contains("one"));
        assert!(!one.accepts(&one.challenge().unwrap(), &proof), "a proof that was read is worth nothing");
        assert!(!token("two").accepts(&challenge, &proof) && !one.accepts(&challenge, "?"));
        let none = AgentToken::default();
        assert!(none.challenge().is_none() && none.proof("x").is_none() && !none.accepts("x", ""));
    }
}
