//! The error of a text that is no expression.

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("match: at character {at}: {problem}")]
pub struct InvalidMatch {
    /// Where the problem is: the number of the character, from 1.
    pub at: usize,
    /// What was expected and what was found, or which bound is passed.
    pub problem: String,
}
