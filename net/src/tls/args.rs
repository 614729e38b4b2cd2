//! The flags of a program that connects to Muster by TLS.

use std::path::PathBuf;

use clap::Args;

use crate::{TlsFiles, TlsFlags};

/// The flags of a program that connects by TLS: to URLs that begin with `wss` or `https`.
#[derive(Debug, Clone, Default, Args)]
pub struct TlsArgs {
    /// The certificates (PEM) of the CAs that sign the servers' certificates, for URLs that begin with wss or https
    /// [default: the CAs that the system trusts]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// The certificate (PEM, with its chain) to show to servers that ask for one
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,

    /// The key of --client-cert (PEM, not encrypted)
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub client_key: Option<PathBuf>,

    /// Accept every certificate of a server. For tests: whoever is on the way can then read and change everything, tokens
    /// and keys too
    #[arg(long, conflicts_with = "ca")]
    pub tls_insecure: bool,
}

impl TlsArgs {
    /// Returns the files that the flags name.
    pub fn files(&self) -> TlsFiles {
        let flags = TlsFlags { ca: "--ca", cert: "--client-cert", key: "--client-key", insecure: "--tls-insecure" };
        let Self { ca, client_cert, client_key, tls_insecure } = self.clone();
        TlsFiles { flags, ca, cert: client_cert, key: client_key, insecure: tls_insecure }
    }
}
