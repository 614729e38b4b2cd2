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

    /// Makes `expired`, the certificate of a server that was valid for a day, long ago.
    ///
    /// # Panics
    /// If openssl can't make it.
    pub fn make_expired(&self) {
        let settings = "[ca]\ndefault_ca=it\n[it]\nnew_certs_dir=.\ndatabase=signed\nserial=number\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n";
        for (file, text) in [("settings", settings), ("signed", ""), ("number", "1000\n")] {
            fs::write(self.file(file), text).unwrap();
        }
        self.openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=expired -keyout expired.key -out expired.csr",
        );
        self.openssl(
            "ca -batch -notext -config settings -cert ca.pem -keyfile ca.key -in expired.csr -extfile san -startdate 20200101000000Z -enddate 20200102000000Z -out expired.pem",
        );
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
