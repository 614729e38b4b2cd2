//! When the terminal asks its token source, and which token is in use.
//!
//! ```text
//!   before an attempt ──▶ for_attempt ──┐
//!   in a session, in time ──▶ next ─────┼──▶ source (bounded by the deadline) ──▶ current
//!   after 401 or 4004 ──▶ is_replaced ──┘
//! ```

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rand::RngExt;
use tokio::{task::JoinHandle, time::timeout};

use crate::{Token, TokenSource, TokenUnavailable, sleep::sleep_until_some};

/// How long before a token's expiry the source is asked for the next token, at least; less if the token does not live
/// that long.
const MARGIN: Duration = Duration::from_secs(5);
/// How long to wait before the source is asked again, if it had no later token. Doubles each time up to [`RETRY_CAP`].
const RETRY: Duration = Duration::from_secs(1);
const RETRY_CAP: Duration = Duration::from_secs(60);

/// The token of one terminal, and the source of the next one.
pub(crate) struct TokenRenewal {
    source: Option<TokenSource>,
    deadline: Duration,
    current: Option<Token>,
    /// The token before the current one, kept until the session ends: the node may still refuse the current one.
    previous: Option<Token>,
    /// The task that asks the source. It goes on when the future that waits for it is dropped, so a busy session does
    /// not ask anew each time. A source that panics ends this task and not the terminal.
    asking: Option<JoinHandle<Result<Token, TokenUnavailable>>>,
    /// When to ask during this session. `None` in plain mode: its sessions can't be extended.
    ask_at: Option<Instant>,
    /// How often the source had no later token in a row. Zero again when a session begins or is extended.
    retries: u32,
    is_reading: Arc<AtomicBool>,
}

impl TokenRenewal {
    /// Makes the renewal of one terminal's token. `deadline` is how long the source may take.
    pub(crate) fn new(source: Option<TokenSource>, deadline: Duration) -> Self {
        let current = source.as_ref().and_then(TokenSource::fixed).cloned();
        let (previous, asking, ask_at, retries, is_reading) = Default::default();
        Self { source, deadline, current, previous, asking, ask_at, retries, is_reading }
    }

    /// Returns the token to connect with.
    pub(crate) fn current(&self) -> Option<&Token> {
        self.current.as_ref()
    }

    /// Returns whether the source can give another token.
    pub(crate) fn can_change(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.fixed().is_none())
    }

    /// Prepares an attempt to connect: asks the source, unless it is a function and the current token has not expired.
    /// After an error the current token stays, if there is one.
    pub(crate) async fn for_attempt(&mut self, now: Timestamp) -> Result<(), TokenUnavailable> {
        let is_file = self.source.as_ref().is_some_and(TokenSource::is_file);
        if self.can_change() && (is_file || self.current.is_none() || self.is_expired(now)) {
            self.is_replaced().await?;
        }
        Ok(())
    }

    /// Asks the source, and makes its token the current one. Returns whether that is a new token.
    pub(crate) async fn is_replaced(&mut self) -> Result<bool, TokenUnavailable> {
        if !self.can_change() {
            return Ok(false);
        }
        let token = self.answer().await?;
        self.previous = None;
        let is_new = self.current.as_ref() != Some(&token);
        self.current = Some(token);
        Ok(is_new)
    }

    /// Returns whether the current token has expired at `now`. False if the token does not say when it expires.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        let expires = self.current.as_ref().and_then(Token::expires);
        expires.is_some_and(|last| last < seconds(now))
    }

    /// Begins a session that can be extended. `now` is the node's time.
    pub(crate) fn begin_session(&mut self, now: Timestamp) {
        self.previous = None;
        self.schedule(now);
    }

    /// Waits until it is time to ask, asks the source, and returns its answer. Never returns if the token does not
    /// expire or can't change. A caller that drops the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Token, TokenUnavailable> {
        if self.asking.is_none() {
            sleep_until_some(self.ask_at).await;
        }
        self.answer().await
    }

    /// Takes a token that is to extend the session. `now` is the node's time. Returns whether the token expires later
    /// than the current one: only then is it to be sent.
    pub(crate) fn extend(&mut self, token: Token, now: Timestamp) -> bool {
        let last = self.current.as_ref().and_then(Token::expires);
        if token.expires() <= last {
            self.ask_later();
            return false;
        }
        self.previous = self.current.replace(token);
        self.schedule(now);
        true
    }

    /// Goes back to the token before, if the node refused the one that was sent last, and has the source asked again
    /// after a while. Also called when the source had no later token.
    pub(crate) fn ask_later(&mut self) {
        if let Some(previous) = self.previous.take() {
            self.current = Some(previous);
        }
        if self.can_change() {
            let wait = RETRY.saturating_mul(1 << self.retries.min(16)).min(RETRY_CAP);
            self.retries = self.retries.saturating_add(1);
            self.ask_at = Some(Instant::now() + wait.mul_f64(rand::rng().random_range(0.5..=1.0)));
        }
    }

    async fn answer(&mut self) -> Result<Token, TokenUnavailable> {
        let Some(source) = &self.source else { return std::future::pending().await };
        let asking = self.asking.get_or_insert_with(|| {
            let (source, is_reading, deadline) = (source.clone(), self.is_reading.clone(), self.deadline);
            tokio::spawn(async move {
                let answer = timeout(deadline, source.ask(&is_reading)).await;
                answer.unwrap_or(Err(TokenUnavailable::TimedOut(deadline)))
            })
        });
        let answer = asking.await;
        self.asking = None;
        answer.unwrap_or_else(|_| Err(TokenUnavailable::Failed("it panicked".into())))
    }

    /// Decides when to ask for the token after the current one.
    fn schedule(&mut self, now: Timestamp) {
        self.retries = 0;
        let expires = self.current.as_ref().and_then(Token::expires).filter(|_| self.can_change());
        let left = expires.map(|last| Duration::from_secs(last.saturating_sub(seconds(now))));
        self.ask_at = left.and_then(|left| Instant::now().checked_add(ask_after(left, rand::rng().random())));
    }
}

/// Returns how long to wait before the source is asked, if the token is valid for the time `left`: until a moment
/// between two margins and one margin before the expiry, which `random` (0 to 1) chooses. A margin is a tenth of
/// `left`, at least [`MARGIN`], and at most a quarter of `left`.
fn ask_after(left: Duration, random: f64) -> Duration {
    let margin = (left / 10).max(MARGIN).min(left / 4);
    left.saturating_sub(margin * 2) + margin.mul_f64(random)
}

fn seconds(time: Timestamp) -> u64 {
    time.as_second().max(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_source_that_fails_panics_or_hangs_is_an_error_and_the_token_stays() {
        let failing = TokenSource::call(|| async { Err("no network") });
        let panicking = TokenSource::call(|| async { if true { panic!("planned") } else { Err("") } });
        let hanging = TokenSource::call(std::future::pending::<Result<Token, String>>);
        for (source, problem) in [(failing, "no network"), (panicking, "panicked"), (hanging, "no answer within 10ms")]
        {
            let mut renewal = TokenRenewal::new(Some(source), Duration::from_millis(10));
            renewal.current = Some("present".parse().unwrap());
            let told = renewal.is_replaced().await.unwrap_err().to_string();
            assert!(told.contains(problem), "{told}");
            assert_eq!(renewal.current(), Some(&"present".parse().unwrap()));
        }
    }

    #[test]
    fn the_source_is_asked_in_the_last_fifth_of_a_tokens_life_and_earlier_if_it_is_short() {
        let range = |seconds| [0.0, 1.0].map(|random| ask_after(Duration::from_secs(seconds), random).as_millis());
        assert_eq!(range(3600), [2_880_000, 3_240_000]);
        assert_eq!(range(30), [20_000, 25_000]);
        assert_eq!(range(4), [2000, 3000]);
        assert_eq!(range(0), [0, 0]);
        assert!(ask_after(Duration::from_secs(u64::MAX), 1.0) > Duration::from_secs(u64::MAX / 2));
    }
}
