//! Files that operators send to the box. The command `file` names a URL, the size and the SHA-256 of a file; the agent
//! fetches the file into one folder. A file that may be run needs a signature.
//!
//! | Module | What it does |
//! |---|---|
//! | [`request`] | reads and checks what the operator asks for |
//! | [`arriving`] | the part of a file that has arrived, which outlives a restart |
//! | [`fetch`] | fetches the rest by HTTP, again if the connection breaks |
//! | [`parts`] | removes the parts of files that never became whole |
//! | [`floor`] | the version of a program that is there: an older one is refused |

mod arriving;
pub mod fetch;
mod floor;
pub mod parts;
pub mod request;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::ensure;
use muster_client::TlsFiles;
use muster_protocol::Payload;
use serde::Deserialize;
use serde_json::json;
use tokio::time;

use self::{arriving::WholeFile, floor::VersionFloor, parts::PartsBound, request::FileRequest};
use crate::{
    allowed::NotAllowed,
    limits::check_time,
    signature::{ProgramSignature, Signers},
    work_end::WorkEnd,
};

/// The name of the command.
pub const COMMAND: &str = "file";
/// The longest time that a file may take.
const WITHIN_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// The longest time that a part may stay.
const PARTS_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// The section `files`. Without it the command `file` is rejected.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// The folder for the files. It must be there.
    pub folder: PathBuf,
    /// The names of files that may be run. Such a file needs a signature by one of `signers`, and must not be older
    /// than what is there; none by default.
    #[serde(default)]
    pub programs: Vec<String>,
    /// The largest file, in bytes; 1 GiB by default.
    #[serde(default = "gibibyte")]
    pub largest: u64,
    /// How long a file may take; 1 h by default, 7 days at most. What has arrived stays for the next command.
    #[serde(default = "an_hour", with = "humantime_serde")]
    pub within: Duration,
    /// How long the part of a file stays after its last byte, if no command asks for that file again; 7 days by
    /// default, 365 days at most.
    #[serde(default = "a_week", with = "humantime_serde")]
    pub parts_for: Duration,
    /// How many bytes such parts may have together; 1 GiB by default. The oldest are removed first.
    #[serde(default = "gibibyte")]
    pub parts_bytes: u64,
    /// Whether `http://` may be used; false by default. A file is checked by its SHA-256 either way, but others see it.
    #[serde(default)]
    pub http: bool,
}

impl FileSettings {
    /// Checks what the configuration says.
    pub fn check(&self) -> anyhow::Result<()> {
        check_time("files.within", self.within, WITHIN_MAX)?;
        check_time("files.parts_for", self.parts_for, PARTS_MAX)?;
        ensure!(self.folder.is_dir(), "files.folder: {} is no folder", self.folder.display());
        Ok(())
    }

    /// Checks a program that the box runs: if files arrive under its path, they must be signed.
    pub fn check_program(&self, program: &[String]) -> anyhow::Result<()> {
        let name = program.first().and_then(|path| Path::new(path).strip_prefix(&self.folder).ok());
        ensure!(
            name.is_none_or(|name| self.programs.iter().any(|program| Path::new(program) == name)),
            "program: operators can replace it by a file, so files.programs must have its name: then it needs a signature"
        );
        Ok(())
    }

    /// Returns what the parts of files may take.
    pub fn parts(&self) -> PartsBound {
        PartsBound { folder: self.folder.clone(), age: self.parts_for, bytes: self.parts_bytes }
    }
}

/// A file that is to be fetched.
pub struct FileFetch {
    settings: FileSettings,
    tls: TlsFiles,
    request: FileRequest,
    /// The signature of a program. `None` for a file that may not be run.
    signature: Option<ProgramSignature>,
}

impl FileFetch {
    /// Returns the file that a payload asks for.
    ///
    /// # Errors
    /// If the payload is not what the command takes, if the file is larger than the configuration allows, or if a
    /// program is not signed or is older than the one that is there.
    pub fn new(files: &FileSettings, signers: &Signers, tls: TlsFiles, payload: &Payload) -> Result<Self, NotAllowed> {
        let request = FileRequest::read(payload, files)?;
        let read = |text: &String| signers.read(text, &request.name);
        let refuse = |error: anyhow::Error| NotAllowed(format!("{error:#}"));
        let signature = request.signature.as_ref().map(read).transpose().map_err(refuse)?;
        if let Some(signature) = &signature {
            VersionFloor::of(&files.folder, &signature.name).refuse_older(signature).map_err(refuse)?;
        }
        Ok(Self { settings: files.clone(), tls, request, signature })
    }

    /// Fetches the file, checks it, and puts it into the folder under its name, in place of an older file.
    pub async fn run(&self) -> WorkEnd {
        let began = Instant::now();
        let fetched = time::timeout(self.settings.within, self.fetch()).await;
        let fetched =
            fetched.unwrap_or_else(|_| Err(anyhow::anyhow!("it did not arrive within {:?}", self.settings.within)));
        match fetched {
            Ok(resumed_at) => {
                let mut reply = json!({
                    "file": self.request.name,
                    "bytes": self.request.size,
                    "resumed_at": resumed_at,
                    "seconds": began.elapsed().as_secs_f64(),
                });
                if let Some(signature) = &self.signature {
                    reply["version"] = signature.version.as_str().into();
                }
                WorkEnd { succeeded: true, reply }
            }
            Err(error) => WorkEnd { succeeded: false, reply: json!({ "error": format!("{error:#}") }) },
        }
    }

    /// Returns how much of the file had arrived before.
    async fn fetch(&self) -> anyhow::Result<u64> {
        let (whole, resumed_at) = fetch::fetch(&self.settings.folder, &self.request, &self.tls).await?;
        let target = self.settings.folder.join(&self.request.name);
        match &self.signature {
            None => whole.place(&target)?,
            Some(signature) => {
                whole.verify(signature).await?;
                self.place_program(whole, signature, &target)?;
            }
        }
        Ok(resumed_at)
    }

    /// Puts a program into its place. Another command may have brought a later program meanwhile, so this checks again.
    /// Nothing in here waits, so no command comes between.
    fn place_program(&self, whole: WholeFile, signature: &ProgramSignature, target: &Path) -> anyhow::Result<()> {
        let floor = VersionFloor::of(&self.settings.folder, &signature.name);
        floor.refuse_older(signature)?;
        // First the floor: after a power cut between the two steps, an older program is refused too.
        floor.raise(signature)?;
        if self.settings.programs.contains(&signature.name) {
            whole.place_program(target)?;
        } else {
            whole.place(target)?;
        }
        Ok(())
    }
}

fn gibibyte() -> u64 {
    1 << 30
}

fn an_hour() -> Duration {
    Duration::from_secs(3600)
}

fn a_week() -> Duration {
    Duration::from_secs(7 * 24 * 3600)
}
