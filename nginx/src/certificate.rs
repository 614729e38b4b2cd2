//! The certificate that Nginx serves, by its content: whoever renews it replaces the files, and Nginx reads them only when it is
//! reloaded. The digest stands in the configuration too, so that a sidecar that was not there at the time sees the difference.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::config::Config;

/// Enough to tell one from the next, in hexadecimal digits.
const DIGITS: usize = 16;

/// What Nginx has read, and what is there.
pub struct Certificate {
    read: Option<String>,
    seen: Option<String>,
}

impl Certificate {
    /// The one that is there is the one that Nginx reads at its start.
    pub fn new(config: &Config) -> Self {
        let seen = digest(config);
        Self { read: seen.clone(), seen }
    }

    /// Whether Nginx should read it: it is another one, and the same as at the last look. It is two files, which are not replaced in
    /// one moment.
    pub fn renewed(&mut self, config: &Config) -> bool {
        let before = std::mem::replace(&mut self.seen, digest(config));
        self.seen == before && self.seen != self.read
    }

    /// Nginx has read what was there at the last look, or refused it, which it would do again.
    pub fn settle(&mut self) {
        self.read.clone_from(&self.seen);
    }
}

/// Of the certificate with its key; none without TLS. A file that can't be read counts as empty: what is wrong with it, Nginx says.
pub fn digest(config: &Config) -> Option<String> {
    let files = [config.tls_cert.as_ref()?, config.tls_key.as_ref()?];
    let contents = files.map(|file| std::fs::read(file).unwrap_or_default());
    let mut digits = HEXLOWER.encode(&Sha256::digest(contents.concat()));
    digits.truncate(DIGITS);
    Some(digits)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn it_is_renewed_once_both_files_stand_still() {
        let dir = tempfile::tempdir().unwrap();
        let [cert, key] = ["c.pem", "k.pem"].map(|name| dir.path().join(name).display().to_string());
        let config = Cli::parse_from(["muster-sidecar", "--tls-cert", &cert, "--tls-key", &key]).config;
        fs::write(&cert, "old").unwrap();
        let mut certificate = Certificate::new(&config);
        assert!(!certificate.renewed(&config), "the same");
        fs::write(&cert, "new").unwrap();
        assert!(!certificate.renewed(&config), "only just seen");
        fs::write(&key, "new").unwrap();
        assert!(!certificate.renewed(&config), "not the same as at the last look");
        assert!(certificate.renewed(&config) && certificate.renewed(&config), "until it was read");
        certificate.settle();
        assert!(!certificate.renewed(&config));
    }

    #[test]
    fn without_tls_there_is_none() {
        let config = Cli::parse_from(["muster-sidecar"]).config;
        assert!(digest(&config).is_none() && !Certificate::new(&config).renewed(&config));
    }
}
