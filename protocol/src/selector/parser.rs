//! Reads an expression.
//!
//! ```text
//! expr      = all *("or" all)
//! all       = not *("and" not)
//! not       = ["not"] ("(" expr ")" | condition | "@saved" "(" name ")")
//! condition = key sign value | key "in" "(" value *("," value) ")" | key "exists"
//! sign      = "=" | "!=" | "^=" | "<" | "<=" | ">" | ">="
//! ```
//!
//! A key or value is a bare word of `A-Z a-z 0-9 . _ : / -`, or a JSON string. A key with an `@` and without quotes is
//! reserved.

use super::{
    invalid_match::InvalidMatch,
    tokens::{MatchToken, MatchTokens},
    tree::MatchTree,
};

/// The longest expression, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 2048;
/// How many groups may stand within each other.
pub const EXPRESSION_DEPTH_MAX: usize = 16;
/// How many terms an expression may have. Each entry of a list counts as one.
pub const EXPRESSION_TERMS_MAX: usize = 64;

/// The words that are keys only in quotes.
const KEYWORDS: [&str; 5] = ["and", "or", "not", "in", "exists"];

/// Reads a text.
pub(super) fn parse(text: &str) -> Result<MatchTree, InvalidMatch> {
    if text.len() > EXPRESSION_BYTES_MAX {
        let problem = format!("the text has {} bytes, and {EXPRESSION_BYTES_MAX} are the most", text.len());
        return Err(InvalidMatch { at: 1, problem });
    }
    let mut parser = MatchParser { tokens: MatchTokens::new(text), at: 0, token: MatchToken::End, terms: 0, depth: 0 };
    parser.advance()?;
    let tree = parser.any()?;
    match parser.token {
        MatchToken::End => Ok(tree),
        _ => Err(parser.unexpected("and, or, or the end")),
    }
}

/// Returns whether a word is a key only in quotes.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

/// An expression that is being read.
pub(super) struct MatchParser<'a> {
    tokens: MatchTokens<'a>,
    /// Where the next piece begins, in bytes.
    pub(super) at: usize,
    /// The next piece.
    pub(super) token: MatchToken,
    terms: usize,
    depth: usize,
}

impl MatchParser<'_> {
    /// Takes the next piece.
    pub(super) fn advance(&mut self) -> Result<MatchToken, InvalidMatch> {
        let (at, next) = self.tokens.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, next))
    }

    /// Takes the next piece if it is this keyword.
    pub(super) fn take_word(&mut self, keyword: &str) -> Result<bool, InvalidMatch> {
        let is_there = matches!(&self.token, MatchToken::Word(word) if word == keyword);
        if is_there {
            self.advance()?;
        }
        Ok(is_there)
    }

    /// Takes the next piece, which must be this sign.
    pub(super) fn take_sign(&mut self, sign: &'static str, expected: &str) -> Result<(), InvalidMatch> {
        if self.token == MatchToken::Sign(sign) { self.advance().map(drop) } else { Err(self.unexpected(expected)) }
    }

    /// Returns the error which says that the next piece is not what was expected.
    pub(super) fn unexpected(&self, expected: &str) -> InvalidMatch {
        self.error(self.at, format!("expected {expected}, found {}", self.token.shown()))
    }

    /// Returns an error at this byte.
    pub(super) fn error(&self, at: usize, problem: impl Into<String>) -> InvalidMatch {
        self.tokens.error(at, problem)
    }

    /// Counts the terms of a condition that begins at this byte.
    pub(super) fn count_terms(&mut self, at: usize, more: usize) -> Result<(), InvalidMatch> {
        self.terms += more;
        if self.terms <= EXPRESSION_TERMS_MAX {
            return Ok(());
        }
        let problem = format!("there are more than {EXPRESSION_TERMS_MAX} terms; each entry of a list counts as one");
        Err(self.error(at, problem))
    }

    fn any(&mut self) -> Result<MatchTree, InvalidMatch> {
        let first = self.all()?;
        let mut parts = vec![first];
        while self.take_word("or")? {
            parts.push(self.all()?);
        }
        Ok(joined(parts, MatchTree::Any))
    }

    fn all(&mut self) -> Result<MatchTree, InvalidMatch> {
        let first = self.perhaps_not()?;
        let mut parts = vec![first];
        while self.take_word("and")? {
            parts.push(self.perhaps_not()?);
        }
        Ok(joined(parts, MatchTree::All))
    }

    fn perhaps_not(&mut self) -> Result<MatchTree, InvalidMatch> {
        if self.take_word("not")? { Ok(MatchTree::Not(Box::new(self.one()?))) } else { self.one() }
    }

    /// Reads a group or a condition.
    fn one(&mut self) -> Result<MatchTree, InvalidMatch> {
        if self.token != MatchToken::Sign("(") {
            return self.condition();
        }
        if self.depth == EXPRESSION_DEPTH_MAX {
            return Err(self.error(self.at, format!("more than {EXPRESSION_DEPTH_MAX} groups stand within each other")));
        }
        self.depth += 1;
        self.advance()?;
        let tree = self.any()?;
        self.take_sign(")", "and, or, or \")\"")?;
        self.depth -= 1;
        Ok(tree)
    }
}

fn joined(mut parts: Vec<MatchTree>, join: fn(Vec<MatchTree>) -> MatchTree) -> MatchTree {
    if parts.len() > 1 { join(parts) } else { parts.remove(0) }
}
