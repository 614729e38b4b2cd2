//! The files of a client's TLS settings, and what can be wrong with them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, Error, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::tls::{builder, insecure::AnyServer, system_roots};

/// The largest file that is read, in bytes. A bundle with the CAs of a whole system has a quarter of this.
const MOST_BYTES: u64 = 1 << 20;

/// What a program calls its TLS settings. Errors use these names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsFlags {
    /// The name of [`TlsFiles::ca`], such as `--redis-ca`.
    pub ca: &'static str,
    /// The name of [`TlsFiles::cert`].
    pub cert: &'static str,
    /// The name of [`TlsFiles::key`].
    pub key: &'static str,
    /// The name of [`TlsFiles::insecure`].
    pub insecure: &'static str,
}

impl TlsFlags {
    /// The names of the fields of [`TlsFiles`], for a program without flags.
    pub const FIELDS: Self = Self { ca: "ca", cert: "cert", key: "key", insecure: "insecure" };
}

impl Default for TlsFlags {
    fn default() -> Self {
        Self::FIELDS
    }
}

/// The files of a client's TLS settings. With none of them the client trusts what the system trusts, and shows no
/// certificate.
///
/// The program reads the system's certificates with `rustls-native-certs`, and does not have them compiled in
/// (`webpki-roots`). So a CA counts once the host's owner has installed it, and no longer once it is removed. A change
/// of CAs needs no release, and `SSL_CERT_FILE` and `SSL_CERT_DIR` work as they do with OpenSSL.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    /// What errors call these settings.
    pub flags: TlsFlags,
    /// The certificates (PEM) of the CAs that are trusted, instead of those that the system trusts.
    pub ca: Option<PathBuf>,
    /// The client's certificate (PEM) with its chain. Needs `key`.
    pub cert: Option<PathBuf>,
    /// The key of the client's certificate (PEM).
    pub key: Option<PathBuf>,
    /// Whether every certificate of a server is accepted; false by default. Whoever is on the way can then read and
    /// change everything. If true, `ca` is not read.
    pub insecure: bool,
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
        /// What is wrong with the file.
        why: String,
    },
    /// No CA is given and the system has none.
    #[error(
        "{0} is missing, and this system has no CA certificates: install them (ca-certificates), or give the file of the CA that signed the server's certificate"
    )]
    NoSystemRoots(&'static str),
    /// Only one of certificate and key is given.
    #[error("{} and {} belong together: give both or neither", .0.cert, .0.key)]
    Incomplete(TlsFlags),
}

impl TlsFiles {
    /// Returns the first flag that is set; `None` if none is.
    pub fn first_flag(&self) -> Option<&'static str> {
        let TlsFlags { ca, cert, key, insecure } = self.flags;
        let given = [(ca, self.ca.is_some()), (cert, self.cert.is_some()), (key, self.key.is_some())];
        given.into_iter().chain([(insecure, self.insecure)]).find(|(_, is_set)| *is_set).map(|(flag, _)| flag)
    }

    /// Returns the files that are given.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        [&self.ca, &self.cert, &self.key].into_iter().flatten().map(PathBuf::as_path)
    }

    pub(crate) fn config(&self) -> Result<ClientConfig, BadTlsFile> {
        let builder = match self.insecure {
            true => builder().dangerous().with_custom_certificate_verifier(Arc::new(AnyServer::new())),
            false => builder().with_root_certificates(self.roots()?),
        };
        match (&self.cert, &self.key) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(cert), Some(key)) => {
                let chain = self.certificates(self.flags.cert, cert)?;
                let loaded = self.private_key(key)?;
                builder.with_client_auth_cert(chain, loaded).map_err(|error| self.bad_pair(cert, key, &error))
            }
            _ => Err(BadTlsFile::Incomplete(self.flags)),
        }
    }

    fn roots(&self) -> Result<RootCertStore, BadTlsFile> {
        let Some(file) = &self.ca else {
            let roots = system_roots();
            return if roots.is_empty() { Err(BadTlsFile::NoSystemRoots(self.flags.ca)) } else { Ok(roots) };
        };
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates(self.flags.ca, file)? {
            let added = roots.add(certificate);
            added
                .map_err(|error| invalid(self.flags.ca, file, format!("a certificate in it can't be used: {error}")))?;
        }
        Ok(roots)
    }

    fn certificates(&self, flag: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, BadTlsFile> {
        let text = read(flag, file)?;
        let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match parsed {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            Ok(_) => {
                let text = "it has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----";
                Err(invalid(flag, file, text.into()))
            }
            Err(error) => Err(invalid(flag, file, format!("it is not valid PEM: {error}"))),
        }
    }

    fn private_key(&self, file: &Path) -> Result<PrivateKeyDer<'static>, BadTlsFile> {
        let text = read(self.flags.key, file)?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
            let encrypted = text.windows(9).any(|word| word == b"ENCRYPTED");
            let text = if encrypted {
                "the key is encrypted; decrypt it with: openssl pkey -in FILE -out FILE2".into()
            } else {
                format!("it has no private key in PEM, which begins with -----BEGIN PRIVATE KEY-----: {error}")
            };
            invalid(self.flags.key, file, text)
        })
    }

    fn bad_pair(&self, cert: &Path, key: &Path, error: &Error) -> BadTlsFile {
        let shown = format!("{} {}", self.flags.cert, cert.display());
        let text = match error {
            Error::InconsistentKeys(_) => format!("it is not the key of the certificate in {shown}"),
            error => format!("it can't be used with {shown}: {error}"),
        };
        invalid(self.flags.key, key, text)
    }
}

fn invalid(flag: &str, file: &Path, why: String) -> BadTlsFile {
    BadTlsFile::Invalid { flag: flag.to_owned(), file: file.to_owned(), why }
}

fn read(flag: &str, file: &Path) -> Result<Vec<u8>, BadTlsFile> {
    read_regular(file).map_err(|error| BadTlsFile::Unreadable { flag: flag.to_owned(), file: file.to_owned(), error })
}

/// Reads a regular file of at most [`MOST_BYTES`]. Opens nothing else: to open a FIFO without a writer would block.
fn read_regular(file: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(file)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if metadata.len() > MOST_BYTES {
        return Err(io::Error::other(format!("it is larger than {MOST_BYTES} bytes")));
    }
    fs::read(file)
}
