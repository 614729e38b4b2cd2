//! Certificates for tests, made by openssl.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A CA and what it signed, and the certificate of another CA. Deleted when dropped.
pub struct Certificates {
    directory: TempDir,
}

impl Certificates {
    /// Makes `ca`, `server` (for 127.0.0.1 and localhost) and `client`, and `other`, a CA that signed nothing.
    ///
    /// # Panics
    /// If openssl is not installed.
    pub fn make() -> Self {
        let made = Self { directory: tempfile::tempdir().unwrap() };
        for ca in ["ca", "other"] {
            made.openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={ca} -keyout {ca}.key -out {ca}.pem"
            ));
        }
        fs::write(made.file("san"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").unwrap();
        for name in ["server", "client"] {
            made.openssl(&format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
            ));
            made.openssl(&format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out {name}.pem"
            ));
        }
        made
    }

    /// The path of a file, such as `server.pem` or `server.key`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// The folder.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Runs openssl in the folder.
    pub fn openssl(&self, words: &str) {
        let done = Command::new("openssl").args(words.split(' ')).current_dir(self.directory()).output();
        let done = done.expect("openssl is missing: apt-get install openssl");
        assert!(done.status.success(), "{words}: {}", String::from_utf8_lossy(&done.stderr));
    }
}
