//! Files that operators send to the box. The command `file` names a URL, the size and the SHA-256 of a file; the agent fetches it into one
//! folder. Nothing that arrives is run.
//!
//! | Module | What it does |
//! |---|---|
//! | [`request`] | reads and checks what the operator asks for |
//! | [`arriving`] | the part of a file that has arrived, which outlives a restart |
//! | [`fetch`] | fetches the rest by HTTP, again if the connection breaks |

mod arriving;
mod fetch;
mod request;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use muster_client::TlsFiles;
use muster_net::Tls;
use muster_protocol::Payload;
use serde::Deserialize;
use serde_json::json;
use tokio::time;

use self::{arriving::ArrivingFile, fetch::FileServer, request::FileRequest};
use crate::{allowed::NotAllowed, settings::check_time, work::WorkEnd};

/// The name of the command.
pub const COMMAND: &str = "file";
/// The longest time that a file may take.
const WITHIN_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// The pause before a connection that broke is made again: the first one, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The section `files`. Without it the command `file` is rejected.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// The folder for the files. It must be there.
    pub folder: PathBuf,
    /// The largest file, in bytes; 1 GiB by default.
    #[serde(default = "gibibyte")]
    pub largest: u64,
    /// How long a file may take; 1 h by default, 7 days at most. What has arrived stays for the next command.
    #[serde(default = "an_hour", with = "humantime_serde")]
    pub within: Duration,
    /// Whether `http://` may be used; false by default. A file is checked by its SHA-256 either way, but others see it.
    #[serde(default)]
    pub http: bool,
}

impl FileSettings {
    /// Checks what the configuration says.
    pub fn check(&self) -> anyhow::Result<()> {
        check_time("files.within", self.within, WITHIN_MAX)?;
        ensure!(self.folder.is_dir(), "files.folder: {} is no folder", self.folder.display());
        Ok(())
    }
}

/// A file that is to be fetched.
#[derive(Debug)]
pub struct FileFetch {
    settings: FileSettings,
    tls: TlsFiles,
    request: FileRequest,
}

impl FileFetch {
    /// The file that a payload asks for.
    ///
    /// # Errors
    /// If the payload is not what the command takes, or the file is larger than the configuration allows.
    pub fn new(settings: &FileSettings, tls: TlsFiles, payload: &Payload) -> Result<Self, NotAllowed> {
        let request = FileRequest::read(payload, settings)?;
        Ok(Self { settings: settings.clone(), tls, request })
    }

    /// Fetches the file, checks it, and puts it into the folder under its name, in place of an older one.
    pub async fn run(&self) -> WorkEnd {
        let began = Instant::now();
        let fetched = time::timeout(self.settings.within, self.fetch()).await;
        let fetched =
            fetched.unwrap_or_else(|_| Err(anyhow::anyhow!("it did not arrive within {:?}", self.settings.within)));
        match fetched {
            Ok(resumed_at) => {
                let reply = json!({
                    "file": self.request.name,
                    "bytes": self.request.size,
                    "resumed_at": resumed_at,
                    "seconds": began.elapsed().as_secs_f64(),
                });
                WorkEnd { succeeded: true, reply }
            }
            Err(error) => WorkEnd { succeeded: false, reply: json!({ "error": format!("{error:#}") }) },
        }
    }

    /// Returns how much of the file had arrived before.
    async fn fetch(&self) -> anyhow::Result<u64> {
        let tls = Tls::load(&self.tls)?;
        let server = FileServer::new(&self.request.url, tls)?;
        let mut arriving = ArrivingFile::open(&self.settings.folder, &self.request).await.context("files.folder")?;
        let (resumed_at, mut pause) = (arriving.len(), PAUSE.0);
        while arriving.len() < self.request.size {
            let before = arriving.len();
            match server.fetch_rest(&mut arriving).await {
                Ok(()) => {}
                Err(error) if error.is_final => return Err(error.why),
                Err(error) => {
                    tracing::warn!(bytes = arriving.len(), "the file is fetched again in {pause:?}: {:#}", error.why)
                }
            }
            if arriving.len() > before {
                pause = PAUSE.0;
            }
            if arriving.len() < self.request.size {
                time::sleep(pause).await;
                pause = PAUSE.1.min(pause * 2);
            }
        }
        arriving.finish().await?;
        Ok(resumed_at)
    }
}

fn gibibyte() -> u64 {
    1 << 30
}

fn an_hour() -> Duration {
    Duration::from_secs(3600)
}
