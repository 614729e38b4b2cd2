//! The files of a client's TLS settings, and what can be wrong with them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustls::{
    ClientConfig, Error, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::tls::{builder, system_roots};

/// The largest file that is read, in bytes. A bundle with the CAs of a whole system has a quarter of this.
const MOST_BYTES: u64 = 1 << 20;

/// The files of a client's TLS settings. With none of them the client trusts what the system trusts, and shows no
/// certificate.
///
/// The system's certificates are read with `rustls-native-certs`, and not compiled in (`webpki-roots`): so a CA that the
/// host's owner has installed or removed counts, a program does not have to be released for a change of CAs, and
/// `SSL_CERT_FILE` and `SSL_CERT_DIR` work as they do with OpenSSL.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    /// What the flags of these files begin with, such as `--redis-`. Errors name `--redis-ca`, `--redis-cert` and
    /// `--redis-key`.
    pub flags: &'static str,
    /// The certificates (PEM) of the CAs that are trusted, instead of those that the system trusts.
    pub ca: Option<PathBuf>,
    /// The client's certificate (PEM) with its chain. Needs `key`.
    pub cert: Option<PathBuf>,
    /// The key of the client's certificate (PEM).
    pub key: Option<PathBuf>,
}

/// Why TLS settings can't be used. The text names the flag and the file.
#[derive(Debug, thiserror::Error)]
pub enum BadTlsFile {
    /// The file can't be read.
    #[error("{flag} {}: {error}", file.display())]
    Unreadable {
        /// The flag that names the file.
        flag: String,
        /// The file.
        file: PathBuf,
        /// Why it can't be read.
        error: io::Error,
    },
    /// The file was read and can't be used.
    #[error("{flag} {}: {why}", file.display())]
    Invalid {
        /// The flag that names the file.
        flag: String,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No CA is given and the system has none.
    #[error(
        "{0}ca is missing, and this system has no CA certificates: install them (ca-certificates), or give the file of the CA that signed the server's certificate"
    )]
    NoSystemRoots(&'static str),
    /// Only one of certificate and key is given.
    #[error("{0}cert and {0}key belong together: give both or neither")]
    Incomplete(&'static str),
}

impl TlsFiles {
    /// Returns the first flag that is set; `None` if no file is given.
    pub fn first_flag(&self) -> Option<String> {
        let given = [("ca", &self.ca), ("cert", &self.cert), ("key", &self.key)];
        given.into_iter().find(|(_, file)| file.is_some()).map(|(name, _)| self.flag(name))
    }

    pub(crate) fn config(&self) -> Result<ClientConfig, BadTlsFile> {
        let builder = builder().with_root_certificates(self.roots()?);
        match (&self.cert, &self.key) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(cert), Some(key)) => {
                let chain = self.certificates("cert", cert)?;
                let loaded = self.private_key(key)?;
                builder.with_client_auth_cert(chain, loaded).map_err(|error| self.bad_pair(cert, key, &error))
            }
            _ => Err(BadTlsFile::Incomplete(self.flags)),
        }
    }

    fn roots(&self) -> Result<RootCertStore, BadTlsFile> {
        let Some(file) = &self.ca else {
            let roots = system_roots();
            return if roots.is_empty() { Err(BadTlsFile::NoSystemRoots(self.flags)) } else { Ok(roots) };
        };
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates("ca", file)? {
            let added = roots.add(certificate);
            added.map_err(|error| self.invalid("ca", file, format!("a certificate in it can't be used: {error}")))?;
        }
        Ok(roots)
    }

    fn certificates(&self, name: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, BadTlsFile> {
        let text = self.read(name, file)?;
        let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match parsed {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            Ok(_) => {
                let text = "it has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----";
                Err(self.invalid(name, file, text.into()))
            }
            Err(error) => Err(self.invalid(name, file, format!("it is not valid PEM: {error}"))),
        }
    }

    fn private_key(&self, file: &Path) -> Result<PrivateKeyDer<'static>, BadTlsFile> {
        let text = self.read("key", file)?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
            let encrypted = text.windows(9).any(|word| word == b"ENCRYPTED");
            let text = if encrypted {
                "the key is encrypted; decrypt it with: openssl pkey -in FILE -out FILE2".into()
            } else {
                format!("it has no private key in PEM, which begins with -----BEGIN PRIVATE KEY-----: {error}")
            };
            self.invalid("key", file, text)
        })
    }

    fn bad_pair(&self, cert: &Path, key: &Path, error: &Error) -> BadTlsFile {
        let text = match error {
            Error::InconsistentKeys(_) => {
                format!("it is not the key of the certificate in {} {}", self.flag("cert"), cert.display())
            }
            error => format!("it can't be used with {} {}: {error}", self.flag("cert"), cert.display()),
        };
        self.invalid("key", key, text)
    }

    fn read(&self, name: &str, file: &Path) -> Result<Vec<u8>, BadTlsFile> {
        let flag = || self.flag(name);
        read(file).map_err(|error| BadTlsFile::Unreadable { flag: flag(), file: file.to_owned(), error })
    }

    fn invalid(&self, name: &str, file: &Path, why: String) -> BadTlsFile {
        BadTlsFile::Invalid { flag: self.flag(name), file: file.to_owned(), why }
    }

    fn flag(&self, name: &str) -> String {
        format!("{}{name}", self.flags)
    }
}

/// Reads a regular file of at most [`MOST_BYTES`]. Anything else is not opened, since opening a FIFO without a writer
/// would block.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(file)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if metadata.len() > MOST_BYTES {
        return Err(io::Error::other(format!("it is larger than {MOST_BYTES} bytes")));
    }
    fs::read(file)
}
