//! The operator's own files that the configuration includes: the snippets, and the certificate with its key. Each
//! generation has its own copy of them. So the configuration that last ran can always run again: Nginx can restart, and
//! nodes can join and leave, while a snippet is broken or a certificate does not match its key.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::Context;

use crate::config::Config;

/// The folder of the copy in a generation.
pub const FOLDER: &str = "own";
/// The file name of the certificate in that folder.
pub const CERTIFICATE: &str = "certificate.pem";
/// The file name of the certificate's key in that folder.
pub const KEY: &str = "key.pem";
/// The file name of the CAs of terminals' certificates in that folder.
pub const CLIENT_CA: &str = "client-ca.pem";
/// The folders of snippets, in `--snippets` and in [`FOLDER`].
pub const SNIPPETS: [&str; 2] = ["http", "server"];
/// The largest file that is copied, in bytes. A larger one is an error. A long certificate chain has 10 kB.
const FILE_MAX: u64 = 256 << 10;
/// The largest number of snippets in one folder. More are an error.
const FILES_MAX: usize = 100;

/// The contents of the files, by their path in [`FOLDER`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OwnFiles(BTreeMap<String, Vec<u8>>);

impl OwnFiles {
    /// Reads the files from where the operator has them. An error names the flag and the file.
    pub fn read(config: &Config) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        let tls = [
            ("--tls-cert", CERTIFICATE, &config.tls_cert),
            ("--tls-key", KEY, &config.tls_key),
            ("--client-ca", CLIENT_CA, &config.client_ca),
        ];
        for (flag, name, path) in tls {
            if let Some(path) = path {
                let contents = read(Path::new(path)).with_context(|| format!("{flag} {path}"))?;
                files.insert(name.to_owned(), contents);
            }
        }
        for folder in SNIPPETS {
            let path = Path::new(config.snippets.as_deref().unwrap_or_default()).join(folder);
            let snippets = read_snippets(&path).with_context(|| format!("--snippets: {}", path.display()))?;
            files.extend(snippets.into_iter().map(|(name, contents)| (format!("{folder}/{name}"), contents)));
        }
        Ok(Self(files))
    }

    /// Reads the copy in the folder of a generation.
    pub fn copied(generation: &Path) -> io::Result<Self> {
        let own = generation.join(FOLDER);
        let mut files = BTreeMap::new();
        for folder in SNIPPETS {
            let snippets = read_snippets(&own.join(folder))?;
            files.extend(snippets.into_iter().map(|(name, contents)| (format!("{folder}/{name}"), contents)));
        }
        for name in [CERTIFICATE, KEY, CLIENT_CA] {
            match read(&own.join(name)) {
                Ok(contents) => drop(files.insert(name.to_owned(), contents)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(files))
    }

    /// Writes the copy into the folder of a generation, and syncs it to the disk. Only the owner can read the files,
    /// since one is a key.
    pub fn write(&self, generation: &Path) -> io::Result<()> {
        let own = generation.join(FOLDER);
        for folder in SNIPPETS {
            fs::create_dir_all(own.join(folder))?;
        }
        for (name, contents) in &self.0 {
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(own.join(name))?;
            file.write_all(contents)?;
            file.sync_all()?;
        }
        for folder in SNIPPETS.map(|folder| own.join(folder)).iter().chain([&own]) {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Returns the reason for a reload after a change from `before`: `certificate` or `snippets`.
    pub fn reason(&self, before: &Self) -> &'static str {
        let tls = |files: &Self| [CERTIFICATE, KEY, CLIENT_CA].map(|name| files.0.get(name).cloned());
        if tls(self) == tls(before) { "snippets" } else { "certificate" }
    }
}

/// Reads the files `*.conf` of a folder, except hidden ones, which Nginx's own pattern leaves out too.
fn read_snippets(folder: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut snippets = Vec::new();
    for entry in fs::read_dir(folder)? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if name.starts_with('.') || !name.ends_with(".conf") {
            continue;
        }
        if snippets.len() == FILES_MAX {
            return Err(io::Error::other(format!("there are more than {FILES_MAX} files")));
        }
        let contents =
            read(&folder.join(&name)).map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
        snippets.push((name, contents));
    }
    Ok(snippets)
}

/// Reads a regular file. Any other kind of file is an error and is not opened, since opening a FIFO that has no writer
/// would block the sidecar.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut contents = Vec::new();
    fs::File::open(path)?.take(FILE_MAX + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > FILE_MAX {
        return Err(io::Error::other(format!("it is larger than {FILE_MAX} bytes")));
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn config(dir: &Path) -> Config {
        let file = |name: &str| dir.join(name).display().to_string();
        let flags = ["--tls-cert", &file("c.pem"), "--tls-key", &file("k.pem"), "--dir", &file("dir")];
        fs::write(file("c.pem"), "certificate").unwrap();
        fs::write(file("k.pem"), "key").unwrap();
        crate::config::tests::config(&flags).load_files().unwrap()
    }

    #[test]
    fn a_copy_equals_the_files_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let snippets = dir.path().join("dir/snippets/http");
        fs::write(snippets.join("own.conf"), "own").unwrap();
        fs::write(snippets.join("README"), "no snippet").unwrap();
        fs::write(snippets.join(".hidden.conf"), "no snippet").unwrap();
        let read = OwnFiles::read(&config).unwrap();
        let generation = dir.path().join("generation");
        read.write(&generation).unwrap();
        let copied = OwnFiles::copied(&generation).unwrap();
        assert!(copied == read && copied.0.keys().eq([CERTIFICATE, "http/own.conf", KEY]));
        let mode = fs::metadata(generation.join(FOLDER).join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_change_is_named_after_what_changed() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let before = OwnFiles::read(&config).unwrap();
        fs::write(dir.path().join("dir/snippets/server/own.conf"), "own").unwrap();
        assert_eq!(OwnFiles::read(&config).unwrap().reason(&before), "snippets");
        fs::write(dir.path().join("k.pem"), "other key").unwrap();
        assert_eq!(OwnFiles::read(&config).unwrap().reason(&before), "certificate");
    }

    #[test]
    fn a_file_that_cannot_be_copied_is_named_with_its_flag() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let says = |config: &Config| format!("{:#}", OwnFiles::read(config).err().unwrap());
        fs::create_dir(dir.path().join("dir/snippets/http/folder.conf")).unwrap();
        assert!(says(&config).contains("--snippets") && says(&config).contains("folder.conf"), "{}", says(&config));
        fs::write(dir.path().join("c.pem"), vec![0; 300_000]).unwrap();
        assert!(says(&config).contains("--tls-cert") && says(&config).contains("larger than"), "{}", says(&config));
    }
}
