//! The version of a program that is there, so that an older one is refused. The version stands in the program's
//! signature, in a file beside the program.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use muster_protocol::selector::LabelVersion;

use crate::{
    durable,
    signature::{ProgramSignature, is_older, version_in},
};

/// The file `.NAME.minisig`. No file that arrives can have such a name.
pub struct VersionFloor(PathBuf);

impl VersionFloor {
    /// Returns the floor of a program in a folder.
    pub fn of(folder: &Path, name: &str) -> Self {
        Self(folder.join(format!(".{name}.minisig")))
    }

    /// Refuses a version that is older than the one that is there.
    pub fn refuse_older(&self, signature: &ProgramSignature) -> anyhow::Result<()> {
        if let Some(there) = self.version()? {
            let (name, version, there) = (&signature.name, signature.version.as_str(), there);
            let older = is_older(&signature.version, &there);
            ensure!(!older, "{name} {version} is older than version {}, which is there", there.as_str());
        }
        Ok(())
    }

    /// Remembers the version that is about to be there.
    pub fn raise(&self, signature: &ProgramSignature) -> io::Result<()> {
        durable::replace(&self.0, signature.text.as_bytes())
    }

    /// Returns the version that is there. `None` if no program has arrived.
    fn version(&self) -> anyhow::Result<Option<LabelVersion>> {
        match fs::read_to_string(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            text => Ok(Some(version_in(&text?).with_context(|| self.0.display().to_string())?)),
        }
    }
}
