//! What a command has the box do: run a program, or fetch a file.

use std::future::Future;

use muster_protocol::Payload;
use serde_json::Value;

use crate::{
    allowed::NotAllowed,
    files::{self, FileFetch},
    program::ProgramCall,
    settings::AgentSettings,
};

/// One command's work.
pub enum Work {
    /// Runs a program.
    Program(ProgramCall),
    /// Fetches a file.
    File(Box<FileFetch>),
}

/// What became of it.
#[derive(Debug)]
pub struct WorkEnd {
    /// Whether it did what was asked for.
    pub succeeded: bool,
    /// The reply.
    pub reply: Value,
}

impl Work {
    /// The work of a command with this name and payload.
    ///
    /// # Errors
    /// If the configuration does not allow it. The text is the reply.
    pub fn of(settings: &AgentSettings, name: &str, payload: &Payload) -> Result<Self, NotAllowed> {
        if let (files::COMMAND, Some(files)) = (name, &settings.files) {
            return FileFetch::new(files, settings.tls.files(), payload).map(|fetch| Self::File(Box::new(fetch)));
        }
        let allowed = settings.commands.get(name);
        allowed.ok_or_else(|| NotAllowed(format!("this box knows no command {name}")))?.call(payload).map(Self::Program)
    }

    /// Does it. `progress` is called with what a program writes.
    pub async fn run<F: Future<Output = ()>>(&self, progress: impl FnMut(String) -> F) -> WorkEnd {
        match self {
            Self::Program(call) => call.run(progress).await,
            Self::File(fetch) => fetch.run().await,
        }
    }
}
