//! Fetches a new program, checks it, and tries whether it starts on this box.

use std::{
    ffi::OsStr,
    future,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use muster_client::TlsFiles;
use tokio::time;

use super::{request::UpdateRequest, updated_program::UpdatedProgram};
use crate::{files::fetch::fetch, program::ProgramCall, signature::ProgramSignature};

/// How long a new program may take to check the configuration.
const CHECK: Duration = Duration::from_secs(30);

/// A program that is to be fetched.
pub struct ProgramFetch {
    /// What the operator asks for.
    pub request: UpdateRequest,
    /// The program's signature.
    pub signature: ProgramSignature,
    /// The folder for programs.
    pub folder: PathBuf,
    /// How long the program may take to arrive.
    pub within: Duration,
    /// Which servers the agent trusts.
    pub tls: TlsFiles,
    /// The agent's configuration file, which the new program must be able to use.
    pub config: PathBuf,
}

impl ProgramFetch {
    /// Fetches the program and checks it. The program then lies in the folder, and nothing runs it yet.
    pub async fn run(self) -> anyhow::Result<UpdatedProgram> {
        let fetched = time::timeout(self.within, self.fetch()).await;
        let file = fetched.unwrap_or_else(|_| Err(anyhow!("it did not arrive within {:?}", self.within)))?;
        try_check(&self.folder.join(&file), &self.config).await.context("the new program can't be used")?;
        Ok(UpdatedProgram { file, version: self.signature.version.as_str().to_owned() })
    }

    /// Returns the name of the program's file.
    async fn fetch(&self) -> anyhow::Result<String> {
        let request = self.request.as_file();
        let (whole, _) = fetch(&self.folder, &request, &self.tls).await?;
        whole.verify(&self.signature).await?;
        whole.place_program(&self.folder.join(&request.name))?;
        Ok(request.name)
    }
}

/// Has the program check the configuration, as it would at its start. So a program for another machine, or without a
/// library that it needs, is found before the agent leaves its node.
async fn try_check(program: &Path, config: &Path) -> anyhow::Result<()> {
    let words = [program.as_os_str(), OsStr::new("--config"), config.as_os_str(), OsStr::new("--check")];
    let line = words.map(|word| word.to_string_lossy().into_owned()).into();
    let end = ProgramCall { line, within: CHECK }.run(|_| future::ready(())).await;
    if !end.succeeded {
        bail!("--check: {}", end.reply);
    }
    Ok(())
}
