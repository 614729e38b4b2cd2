//! What the command lines of the programs have in common.

use clap::{
    Error,
    error::{ContextKind, ContextValue},
};

/// Returns the error without the value of `--secret`: a mistyped secret is still a secret, and must not be printed.
pub fn without_secret(mut error: Error) -> Error {
    if let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
        && flag.starts_with("--secret")
    {
        error.insert(ContextKind::InvalidValue, ContextValue::String("***".into()));
    }
    error
}
