//! What an operator asks for with the command `update`.

use muster_protocol::{Payload, selector::LabelVersion};
use serde::{Deserialize, Serialize};

use super::{NAME, UpdateSettings};
use crate::{
    allowed::NotAllowed,
    files::request::FileRequest,
    signature::{ProgramSignature, Signers, is_older},
};

/// The payload of the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateRequest {
    /// Where the program is, as `https://HOST[:PORT]/PATH`.
    pub url: String,
    /// Its SHA-256, in 64 hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its signature, as the whole text of the file that minisign writes.
    pub signature: String,
}

impl UpdateRequest {
    /// Reads and checks a payload.
    pub fn read(payload: &Payload, settings: &UpdateSettings) -> Result<Self, NotAllowed> {
        let request: Self = serde_json::from_str(payload.as_json())
            .map_err(|error| NotAllowed(format!("the payload must have url, sha256, size and signature: {error}")))?;
        request.as_file().check(settings.largest, settings.http)?;
        Ok(request)
    }

    /// Reads the signature. The version must not be lower than that of the program that runs.
    pub fn signature(&self, signers: &Signers, running: &LabelVersion) -> Result<ProgramSignature, NotAllowed> {
        let signature = signers.read(&self.signature, NAME).map_err(|error| NotAllowed(format!("{error:#}")))?;
        if is_older(&signature.version, running) {
            let (version, running) = (signature.version.as_str(), running.as_str());
            return Err(NotAllowed(format!("version {version} is older than version {running}, which runs")));
        }
        Ok(signature)
    }

    /// Returns the program as a file to fetch. The file's name has a part of the hash, so no other program has it.
    pub fn as_file(&self) -> FileRequest {
        let hash: String = self.sha256.chars().take(16).filter(char::is_ascii_alphanumeric).collect();
        FileRequest {
            url: self.url.clone(),
            sha256: self.sha256.clone(),
            size: self.size,
            name: format!("{NAME}-{}", hash.to_ascii_lowercase()),
            signature: None,
        }
    }
}
