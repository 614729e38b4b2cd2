//! A program that an update has brought.

use serde::{Deserialize, Serialize};

/// The file of such a program, and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdatedProgram {
    /// The name of the program's file, in the folder of the record.
    pub file: String,
    /// The program's version, as it was signed.
    pub version: String,
}
