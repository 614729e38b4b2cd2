//! What a command has the box do: run a program, fetch a file, or send one.

use std::future::Future;

use muster_protocol::Payload;
use serde_json::{Value, json};

use crate::{
    allowed::NotAllowed,
    files::{self, FileFetch},
    program::ProgramCall,
    settings::AgentSettings,
    upload::{self, FileUpload},
    work_end::WorkEnd,
};

/// One command's work.
pub enum Work {
    /// Runs a program.
    Program(ProgramCall),
    /// Fetches a file.
    File(Box<FileFetch>),
    /// Sends a file.
    Upload(Box<FileUpload>),
}

impl Work {
    /// Returns the work of a command with this name and payload.
    ///
    /// # Errors
    /// If the configuration does not allow it. The text is the reply.
    pub fn of(settings: &AgentSettings, name: &str, payload: &Payload) -> Result<Self, NotAllowed> {
        if let (files::COMMAND, Some(files)) = (name, &settings.files) {
            return FileFetch::new(files, &settings.signers, settings.tls.files(), payload)
                .map(|fetch| Self::File(Box::new(fetch)));
        }
        if let (upload::COMMAND, Some(upload)) = (name, &settings.upload) {
            return FileUpload::new(upload, settings.tls.files(), payload).map(|upload| Self::Upload(Box::new(upload)));
        }
        let allowed = settings.commands.get(name);
        allowed.ok_or_else(|| NotAllowed(format!("this box knows no command {name}")))?.call(payload).map(Self::Program)
    }

    /// Does the work. Calls `progress` with what a program writes, or with how much of a file is sent.
    pub async fn run<F: Future<Output = ()>>(&self, mut progress: impl FnMut(Value) -> F) -> WorkEnd {
        match self {
            Self::Program(call) => call.run(|output| progress(json!({ "output": output }))).await,
            Self::File(fetch) => fetch.run().await,
            Self::Upload(upload) => upload.run(progress).await,
        }
    }
}
