//! The words, texts and signs of an expression.

use super::invalid_match::InvalidMatch;

/// The longest piece of an expression that an error repeats, in characters.
const SHOWN: usize = 32;

/// One piece of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MatchToken {
    /// A bare word, such as `site`, `and` or `1.2.3`.
    Word(String),
    /// A JSON string, without its quotes.
    Quoted(String),
    /// A reserved key, with its `@`.
    Reserved(String),
    /// One of `( ) , = != ^= < <= > >=`.
    Sign(&'static str),
    /// The end, behind the last piece.
    End,
}

/// The signs. A longer sign comes before one with which it begins.
const SIGNS: [&str; 10] = ["!=", "^=", "<=", ">=", "=", "<", ">", "(", ")", ","];

/// Reads an expression piece by piece.
pub(super) struct MatchTokens<'a> {
    text: &'a str,
    /// The byte from which the next piece is looked for.
    at: usize,
}

impl<'a> MatchTokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Returns the next piece, and where it begins in bytes.
    pub(super) fn next(&mut self) -> Result<(usize, MatchToken), InvalidMatch> {
        let rest = self.text[self.at..].trim_start_matches([' ', '\t', '\n', '\r']);
        let begin = self.text.len() - rest.len();
        let (length, token) = match rest.chars().next() {
            None => (0, MatchToken::End),
            Some('"') => self.quoted(begin, rest)?,
            Some('@') => {
                let length = 1 + word_length(&rest[1..]);
                (length, MatchToken::Reserved(rest[..length].to_owned()))
            }
            Some(first) if is_bare(first) => {
                let length = word_length(rest);
                (length, MatchToken::Word(rest[..length].to_owned()))
            }
            Some(other) => match SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                Some(sign) => (sign.len(), MatchToken::Sign(sign)),
                None => {
                    return Err(
                        self.error(begin, format!("{other:?} has no meaning here; a text with it needs quotes"))
                    );
                }
            },
        };
        self.at = begin + length;
        Ok((begin, token))
    }

    /// Returns an error at this byte.
    pub(super) fn error(&self, at: usize, problem: impl Into<String>) -> InvalidMatch {
        InvalidMatch { at: self.text[..at].chars().count() + 1, problem: problem.into() }
    }

    /// Reads a JSON string in quotes. Returns its length in bytes with the quotes, and what it says.
    fn quoted(&self, begin: usize, rest: &str) -> Result<(usize, MatchToken), InvalidMatch> {
        let mut escaped = false;
        let is_end = |byte: u8| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        };
        let end = rest.bytes().skip(1).position(is_end);
        let end = end.ok_or_else(|| self.error(begin, "these quotes are not closed"))? + 2;
        let text = serde_json::from_str(&rest[..end]);
        let text = text.map_err(|_| self.error(begin, "what stands in quotes is written as a JSON string"))?;
        Ok((end, MatchToken::Quoted(text)))
    }
}

impl MatchToken {
    /// Returns the piece as an error shows it.
    pub(super) fn shown(&self) -> String {
        let (Self::Word(text) | Self::Quoted(text) | Self::Reserved(text)) = self else {
            return match self {
                Self::Sign(sign) => format!("{sign:?}"),
                _ => "the end".to_owned(),
            };
        };
        match text.char_indices().nth(SHOWN) {
            Some((at, _)) => format!("{:?}…", &text[..at]),
            None => format!("{text:?}"),
        }
    }
}

/// Returns whether a word can have this character without quotes.
pub(super) fn is_bare(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._:/-".contains(character)
}

/// Returns the length of the bare word with which a text begins.
fn word_length(text: &str) -> usize {
    text.find(|character| !is_bare(character)).unwrap_or(text.len())
}
