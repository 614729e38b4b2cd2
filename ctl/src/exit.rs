//! The exit codes. Scripts go by them.

use std::process::ExitCode;

/// What a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All was done that was asked for.
    Done,
    /// Nothing was sent or changed: wrong flags, no valid key, or no node that answers.
    NotSent,
    /// The command failed or was rejected at some terminals, or was cancelled.
    SomeFailed,
    /// The command expired or timed out at some terminals, or was not done within `--wait`, or it is unknown what
    /// became of it.
    TimedOut,
    /// None of the terminals was online.
    NoneOnline,
    /// The call was interrupted. The command goes on.
    Interrupted,
}

impl Exit {
    /// Returns the code that the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::NotSent => 1,
            Self::SomeFailed => 2,
            Self::TimedOut => 3,
            Self::NoneOnline => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
