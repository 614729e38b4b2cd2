//! TLS of the connections to the servers under test.

use std::sync::{Arc, OnceLock};

use anyhow::bail;
use clap::{Args, ValueEnum};
use hyper::Uri;
use muster_net::{BadTlsFile, Tls, TlsArgs};

/// The flags for TLS, and the files that they name.
#[derive(Debug, Clone, Default, Args)]
pub struct TlsSettings {
    /// The flags.
    #[command(flatten)]
    pub args: TlsArgs,
    /// What was read. Clones share it.
    #[arg(skip)]
    read: Arc<OnceLock<Tls>>,
}

/// Whether a terminal that comes back shows the session ticket of its last connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SessionTickets {
    /// A terminal keeps its own tickets, as most clients do: its first handshake is full, the later ones are short.
    On,
    /// Every handshake is full.
    Off,
}

/// Whether a URL asks for TLS.
pub fn asks_for_tls(uri: &Uri) -> bool {
    matches!(uri.scheme_str(), Some("wss" | "https"))
}

impl TlsSettings {
    /// Reads the files if a URL asks for TLS. Fails if a file can't be used, or if there is one and no URL asks for TLS.
    pub fn check(&self, is_wanted: bool) -> anyhow::Result<()> {
        match self.args.files().first_flag() {
            _ if is_wanted => drop(self.read()?),
            Some(flag) => bail!("{flag} is for TLS, and no URL begins with wss:// or https://: leave {flag} out"),
            None => {}
        }
        Ok(())
    }

    /// Returns the settings for a URL; `None` if it does not ask for TLS. Fails if a file can't be used.
    pub fn of(&self, uri: &Uri) -> Result<Option<Tls>, BadTlsFile> {
        asks_for_tls(uri).then(|| self.read()).transpose()
    }

    fn read(&self) -> Result<Tls, BadTlsFile> {
        if let Some(read) = self.read.get() {
            return Ok(read.clone());
        }
        let read = Tls::load(&self.args.files())?;
        Ok(self.read.get_or_init(|| read).clone())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::config;

    fn told(flags: &str) -> String {
        config(flags).validate().unwrap_err().to_string()
    }

    #[test]
    fn files_for_tls_are_read_before_a_run_and_need_a_url_that_asks_for_tls() {
        assert!(told("--ca /absent").starts_with("--ca is for TLS"));
        assert!(told("--tls-insecure").starts_with("--tls-insecure is for TLS"));
        assert!(told("--api https://h --ca /absent").starts_with("--ca /absent: No such file"));
        assert!(told("--url wss://h/ws --ca /absent").starts_with("--ca /absent: No such file"));
        assert!(config("--url wss://h/ws --api https://h --tls-insecure").validate().is_ok());
    }
}
