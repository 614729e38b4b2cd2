//! Files of the box that operators ask for. The command `upload` names a file in one of the configured folders, and a
//! signed URL. The agent sends the file there by `PUT`.
//!
//! | Module | What it does |
//! |---|---|
//! | [`request`] | reads and checks what the operator asks for |
//! | [`source`] | opens a file in one of the folders, and no other |
//! | [`body`] | the file as the body of a request, which counts what is sent |
//! | [`put`] | sends it in one attempt |

mod body;
mod put;
mod request;
mod source;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::ensure;
use muster_client::TlsFiles;
use muster_net::Tls;
use muster_protocol::Payload;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time;

use self::{put::FilePut, request::UploadRequest, source::AllowedFile};
use crate::{
    allowed::NotAllowed,
    limits::check_time,
    transfer::{FileServer, RetryPause},
    work_end::WorkEnd,
};

/// The name of the command.
pub const COMMAND: &str = "upload";
/// The longest time that a file may take.
const WITHIN_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// The most folders.
const FOLDERS_MAX: usize = 64;

/// The section `upload`. Without it the command `upload` is rejected.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadSettings {
    /// The folders whose files operators may ask for, with all folders in them; as paths from the root, 64 at most.
    pub folders: Vec<PathBuf>,
    /// The largest file, in bytes; 1 GiB by default.
    #[serde(default = "gibibyte")]
    pub largest: u64,
    /// How long all attempts may take together; 1 h by default, 7 days at most.
    #[serde(default = "an_hour", with = "humantime_serde")]
    pub within: Duration,
    /// Whether `http://` may be used; false by default. Others can read a file that is sent so.
    #[serde(default)]
    pub http: bool,
}

impl UploadSettings {
    /// Checks what the configuration says. A folder may be missing: a program may make it later.
    pub fn check(&self) -> anyhow::Result<()> {
        check_time("upload.within", self.within, WITHIN_MAX)?;
        ensure!(
            (1..=FOLDERS_MAX).contains(&self.folders.len()) && self.folders.iter().all(|folder| folder.is_absolute()),
            "upload.folders: 1 to {FOLDERS_MAX} paths from the root, as /var/log/kiosk"
        );
        Ok(())
    }
}

/// A file that is to be sent.
pub struct FileUpload {
    settings: UploadSettings,
    tls: TlsFiles,
    request: UploadRequest,
}

impl FileUpload {
    /// Returns the file that a payload asks for.
    ///
    /// # Errors
    /// If the payload is not what the command takes, if the file is in none of the folders, or if it can't be read.
    pub fn new(upload: &UploadSettings, tls: TlsFiles, payload: &Payload) -> Result<Self, NotAllowed> {
        let request = UploadRequest::read(payload, upload)?;
        AllowedFile::open(upload, &request.path).map_err(|error| NotAllowed(format!("{error:#}")))?;
        Ok(Self { settings: upload.clone(), tls, request })
    }

    /// Sends the file, and again if an attempt fails. Calls `progress` once a second at most, while bytes move.
    pub async fn run<F: Future<Output = ()>>(&self, progress: impl FnMut(Value) -> F) -> WorkEnd {
        let began = Instant::now();
        let sent = time::timeout(self.settings.within, self.send(progress)).await;
        let sent = sent.unwrap_or_else(|_| Err(anyhow::anyhow!("it was not sent within {:?}", self.settings.within)));
        match sent {
            Ok((bytes, attempts)) => {
                let seconds = began.elapsed().as_secs_f64();
                let reply =
                    json!({ "path": self.request.path, "bytes": bytes, "attempts": attempts, "seconds": seconds });
                WorkEnd { succeeded: true, reply }
            }
            Err(error) => WorkEnd { succeeded: false, reply: json!({ "error": format!("{error:#}") }) },
        }
    }

    /// Returns the file's size and the number of attempts. Each attempt opens the file anew, since a log may have grown
    /// or been replaced.
    async fn send<F: Future<Output = ()>>(&self, mut progress: impl FnMut(Value) -> F) -> anyhow::Result<(u64, u32)> {
        let server = FileServer::new(&self.request.url, Tls::load(&self.tls)?)?;
        let (mut pause, mut attempts) = (RetryPause::new(), 0);
        loop {
            attempts += 1;
            let source = AllowedFile::open(&self.settings, &self.request.path)?;
            let bytes = source.bytes;
            match FilePut::new(&server, &self.request.headers, source).run(&mut progress).await {
                Ok(()) => return Ok((bytes, attempts)),
                Err(error) if error.is_final => return Err(error.why),
                Err(error) => tracing::warn!(attempts, "the file is sent again: {:#}", error.why),
            }
            pause.wait().await;
        }
    }
}

fn gibibyte() -> u64 {
    1 << 30
}

fn an_hour() -> Duration {
    Duration::from_secs(3600)
}
