//! Nodes that a file lists: one address on each line, and comments from `#` on.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use anyhow::{Context, bail};
use ipnet::IpNet;
use muster_protocol::address::of_node;

use crate::membership::Members;

/// The largest file that is read, in bytes.
const FILE_MAX: u64 = 256 << 10;
/// The most nodes of a file.
const NODES_MAX: usize = 1000;

/// Reads the file. An error if it can't be read, names no node, or has a line that is no address in one of these
/// networks: a file that is just being written must not drop nodes.
pub fn read(path: &Path, allow: &[IpNet]) -> anyhow::Result<Members> {
    // To open a pipe that nobody writes to would take for ever.
    if !fs::metadata(path).context("can't read it")?.is_file() {
        bail!("it is no regular file");
    }
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_string(&mut text));
    read.context("can't read it")?;
    if text.len() as u64 > FILE_MAX {
        bail!("it is larger than {FILE_MAX} bytes");
    }
    parse(&text, allow)
}

/// Reads the text of the file.
pub fn parse(text: &str, allow: &[IpNet]) -> anyhow::Result<Members> {
    let mut nodes = Members::new();
    for (number, line) in text.lines().enumerate() {
        let address = line.split('#').next().unwrap_or_default().trim();
        if !address.is_empty() {
            let shown: String = address.chars().take(60).collect();
            nodes.insert(of_node(address, allow).with_context(|| format!("line {}: {shown:?}", number + 1))?);
        }
    }
    match nodes.len() {
        0 => bail!("it names no node"),
        1..=NODES_MAX => Ok(nodes),
        more => bail!("it names {more} nodes; at most {NODES_MAX} are served"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Result<usize, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nodes");
        fs::write(&path, text).unwrap();
        let allow = ["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        read(&path, &allow).map(|nodes| nodes.len()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn each_line_is_an_address_or_nothing() {
        assert_eq!(said("# ours\n127.0.0.1:1 # first\n\n  [::1]:2\r\n127.0.0.1:1\n"), Ok(2));
    }

    #[test]
    fn a_file_that_can_not_be_meant_is_refused_whole_and_its_line_is_named() {
        for (text, says) in [
            ("", "names no node"),
            ("# none\n", "names no node"),
            ("127.0.0.1:1\n127.0.0.\n", "line 2: \"127.0.0.\""),
            ("10.0.0.1:1\n", "--allow"),
            ("localhost:1\n", "line 1"),
            ("127.0.0.1:0\n", "line 1"),
        ] {
            let error = said(text).unwrap_err();
            assert!(error.contains(says), "{text:?}: {error}");
        }
        let many: String = (1..=NODES_MAX + 1).map(|port| format!("127.0.0.1:{port}\n")).collect();
        assert!(said(&many).unwrap_err().contains("1001 nodes"));
        assert!(said(&"#".repeat(FILE_MAX as usize + 1)).unwrap_err().contains("larger"));
        let error = format!("{:#}", read(Path::new("/nonexistent"), &[]).unwrap_err());
        assert!(error.contains("can't read it: No such file"), "{error}");
    }
}
