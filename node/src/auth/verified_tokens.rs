//! Terminals' tokens that were verified before. A terminal that comes again, and the second request of a handshake through a proxy, cost no
//! signature.
//!
//! No token is kept. A token is known by its HMAC under a secret of this process, so nobody can make another text that is taken for it. What
//! is remembered is what a token says, which never changes. Whoever uses it still checks what does change: revocations, and the terminal that
//! the token is shown for. When the keys are replaced, all tokens are forgotten.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use muster_protocol::selector::SayableKeys;
use ring::{
    hmac::{self, HMAC_SHA256},
    rand::SystemRandom,
};

use super::{TokenMark, VerifiedTerminal};

/// The most bytes of all tokens that are remembered: some 10,000 of them. The one that was verified first gives way.
const BYTES_MAX: usize = 8 << 20;
/// The bytes of one, without its texts. A table of hashes is half empty at times.
const ENTRY: usize = 2 * size_of::<(TokenHash, VerifiedTerminal)>() + size_of::<TokenHash>() + size_of::<TokenMark>();
/// The bytes of a label or key, beside its text.
const TEXT: usize = 2 * size_of::<String>();

type TokenHash = [u8; 32];

/// What tokens say that were verified, in a bounded number of bytes.
pub(super) struct VerifiedTokens {
    secret: hmac::Key,
    bytes_max: usize,
    table: Mutex<TokenTable>,
}

#[derive(Default)]
struct TokenTable {
    by_hash: HashMap<TokenHash, VerifiedTerminal>,
    /// In the order in which they were verified.
    hashes: VecDeque<TokenHash>,
    bytes: usize,
    /// How often all were forgotten.
    age: u64,
}

/// The place of a token that is not remembered, and has to be verified.
pub(super) struct TokenPlace {
    hash: TokenHash,
    age: u64,
}

impl VerifiedTokens {
    /// No tokens, and a new secret.
    ///
    /// # Panics
    /// If the system gives no random bytes.
    pub(super) fn new() -> Self {
        Self::of_bytes(BYTES_MAX)
    }

    fn of_bytes(bytes_max: usize) -> Self {
        let secret = hmac::Key::generate(HMAC_SHA256, &SystemRandom::new()).expect("the system gives random bytes");
        Self { secret, bytes_max, table: Mutex::default() }
    }

    /// What a token says, if it was verified before and is valid in the second `now`, since 1970. Otherwise its place.
    pub(super) fn find(&self, token: &str, now: u64) -> Result<VerifiedTerminal, TokenPlace> {
        let tag = hmac::sign(&self.secret, token.as_bytes());
        let hash: TokenHash = tag.as_ref().try_into().expect("SHA-256 has 32 bytes");
        let table = self.lock();
        let known = table.by_hash.get(&hash).filter(|terminal| !has_expired(terminal, now));
        known.cloned().ok_or(TokenPlace { hash, age: table.age })
    }

    /// Remembers what a token says that was verified in the second `now`, since 1970. Does nothing if all were forgotten since its place was
    /// found: a key that is there no more may have verified it.
    pub(super) fn remember(&self, place: TokenPlace, terminal: &VerifiedTerminal, now: u64) {
        let mut table = self.lock();
        if table.age != place.age || table.by_hash.contains_key(&place.hash) {
            return;
        }
        table.bytes += bytes(terminal);
        table.by_hash.insert(place.hash, terminal.clone());
        table.hashes.push_back(place.hash);
        while table.bytes > self.bytes_max || table.first_has_expired(now) {
            table.forget_first();
        }
    }

    /// Forgets all tokens. To be called after keys were replaced.
    pub(super) fn forget_all(&self) {
        let mut table = self.lock();
        *table = TokenTable { age: table.age + 1, ..TokenTable::default() };
    }

    fn lock(&self) -> MutexGuard<'_, TokenTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenTable {
    fn first_has_expired(&self, now: u64) -> bool {
        let first = self.hashes.front().and_then(|hash| self.by_hash.get(hash));
        first.is_some_and(|terminal| has_expired(terminal, now))
    }

    fn forget_first(&mut self) {
        let first = self.hashes.pop_front().and_then(|hash| self.by_hash.remove(&hash));
        self.bytes -= first.as_ref().map_or(0, bytes);
    }
}

/// Whether a token is not valid any more, which it is in its last second.
fn has_expired(terminal: &VerifiedTerminal, now: u64) -> bool {
    terminal.expires.is_none_or(|last| last < now)
}

/// The bytes that the memory of a token takes.
fn bytes(terminal: &VerifiedTerminal) -> usize {
    let labels = terminal.labels.iter().map(|(key, value)| 2 * TEXT + key.len() + value.len());
    let say = match &terminal.say {
        SayableKeys::Listed(keys) => &keys[..],
        SayableKeys::All => &[],
    };
    let ids = terminal.token.iter().flat_map(|mark| [&mark.token_id, &mark.origin]).flatten();
    let texts = labels.chain(say.iter().map(|key| TEXT + key.len())).chain(ids.map(|id| id.len()));
    ENTRY + terminal.id.as_str().len() + texts.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::TokenHolder;

    fn terminal(label: &str, expires: u64) -> VerifiedTerminal {
        let holder = TokenHolder::Terminal("t1".parse().unwrap());
        let mark = TokenMark { holder, token_id: Some("id".into()), origin: None, kid: None, issued_at: None };
        VerifiedTerminal {
            id: "t1".parse().unwrap(),
            labels: [("site".to_owned(), label.to_owned())].into(),
            say: SayableKeys::Listed(vec!["room".into()]),
            expires: Some(expires),
            token: Some(Arc::new(mark)),
        }
    }

    fn remember(tokens: &VerifiedTokens, token: &str, terminal: &VerifiedTerminal, now: u64) {
        let Err(place) = tokens.find(token, now) else { panic!("{token} is remembered") };
        tokens.remember(place, terminal, now);
    }

    #[test]
    fn a_token_is_remembered_until_it_expires_and_no_other_text_is_taken_for_it() {
        let (tokens, bj) = (VerifiedTokens::new(), terminal("bj", 100));
        remember(&tokens, "a", &bj, 99);
        assert_eq!(tokens.find("a", 100).ok().as_ref(), Some(&bj));
        assert!(tokens.find("a", 101).is_err() && tokens.find("b", 100).is_err() && tokens.find("", 100).is_err());
        let hash = |tokens: &VerifiedTokens| tokens.find("c", 1).err().map(|place| place.hash);
        assert_ne!(hash(&tokens), hash(&VerifiedTokens::new()), "each process has a secret of its own");
        remember(&tokens, "b", &terminal("sh", 200), 101);
        assert_eq!(tokens.lock().by_hash.len(), 1, "one that has expired makes room");
    }

    #[test]
    fn tokens_that_are_remembered_are_bounded_in_bytes_and_the_first_gives_way() {
        let all = |count: usize| {
            let tokens = VerifiedTokens::of_bytes(100_000);
            let long = terminal(&"x".repeat(64), 100);
            (0..count).for_each(|number| remember(&tokens, &number.to_string(), &long, 1));
            let table = tokens.lock();
            let counted: usize = table.by_hash.values().map(bytes).sum();
            assert!(table.bytes == counted && counted <= 100_000 && table.hashes.len() == table.by_hash.len());
            drop(table);
            tokens
        };
        let tokens = all(10_000);
        let kept = tokens.lock().by_hash.len();
        assert!((50..1000).contains(&kept), "{kept}");
        let is_kept = |number: usize| tokens.find(&number.to_string(), 1).is_ok();
        assert!(is_kept(9_999) && is_kept(10_000 - kept) && !is_kept(9_999 - kept) && !is_kept(0));
    }

    #[test]
    fn what_a_key_verified_that_was_replaced_meanwhile_is_not_remembered() {
        let (tokens, bj) = (VerifiedTokens::new(), terminal("bj", 100));
        remember(&tokens, "a", &bj, 1);
        let Err(place) = tokens.find("b", 1) else { panic!() };
        tokens.forget_all();
        tokens.remember(place, &bj, 1);
        assert!(tokens.find("a", 1).is_err() && tokens.find("b", 1).is_err());
        assert_eq!(tokens.lock().bytes, 0);
    }
}
