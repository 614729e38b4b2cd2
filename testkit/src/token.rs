//! Tokens of terminals and keys of operators, for nodes that verify them.

use muster_protocol::token::{OperatorClaims, Scope, Secret, TerminalClaims, sign};

/// The secret of such a node, for `--secret`.
pub const SECRET: &str = "k1=0123456789abcdef0123456789abcdef";
/// An expiry that no test lives to see, in seconds since 1970: the year 2096.
pub const NEVER: u64 = 4_000_000_000;

/// A terminal's token, signed by [`SECRET`]. `exp` is its expiry in seconds since 1970.
pub fn token(terminal: &str, exp: u64) -> String {
    let claims = TerminalClaims::new(terminal.parse().unwrap(), exp);
    sign(&SECRET.parse::<Secret>().unwrap(), &claims)
}

/// An operator's key with this scope, signed by [`SECRET`], that does not expire.
pub fn key(scope: Scope) -> String {
    key_of("op", scope)
}

/// The key of the operator with this name.
pub fn key_of(name: &str, scope: Scope) -> String {
    key_until(NEVER, name, scope)
}

/// The key of the operator with this name, which expires after the second `exp` since 1970.
pub fn key_until(exp: u64, name: &str, scope: Scope) -> String {
    let claims = OperatorClaims::new(name, exp, scope);
    sign(&SECRET.parse::<Secret>().unwrap(), &claims)
}
