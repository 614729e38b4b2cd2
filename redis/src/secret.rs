//! A secret that is kept in a file, as the text it is: a password here, and what else the programs sign or open with. An error tells
//! what is wrong with the file, and never what is in it; whoever asked adds the flag.

use std::{fs, io, path::Path};

/// What the file holds, which is something. A link is followed to a file; what is none is refused unopened, since a FIFO that nobody
/// writes to would hold up the start for ever.
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
    fn a_link_leads_to_what_a_file_holds() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "s3cret\n").unwrap();
        symlink("file", dir.path().join("link")).unwrap();
        assert_eq!(read(&dir.path().join("link")).unwrap(), "s3cret\n");
    }

    #[test]
    fn what_holds_nothing_or_is_no_file_is_told_at_once() {
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
