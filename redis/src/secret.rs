//! Reads a secret from a file: a password, a signing secret or a key. An error says what is wrong with the file and
//! never shows its content. The caller adds the name of the flag.

use std::{fs, io, path::Path};

/// Reads a file, which must not be empty. Follows symbolic links. Anything but a regular file is an error and is not
/// opened: to open a FIFO that has no writer would block the start.
pub fn read(file: &Path) -> io::Result<String> {
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let text = fs::read_to_string(file)?;
    if text.trim().is_empty() {
        return Err(io::Error::other("it is empty"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, process::Command};

    use super::*;

    #[test]
    fn a_symbolic_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "s3cret\n").unwrap();
        symlink("file", dir.path().join("link")).unwrap();
        assert_eq!(read(&dir.path().join("link")).unwrap(), "s3cret\n");
    }

    #[test]
    fn an_empty_file_and_anything_but_a_file_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let [fifo, empty, absent] = ["fifo", "empty", "absent"].map(|name| dir.path().join(name));
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        fs::write(&empty, " \n").unwrap();
        for (file, told) in [
            (fifo.as_path(), "no regular file"),
            (dir.path(), "no regular file"),
            (&empty, "it is empty"),
            (&absent, "No such file"),
        ] {
            let error = read(file).unwrap_err().to_string();
            assert!(error.contains(told), "{}: {error}", file.display());
        }
    }
}
