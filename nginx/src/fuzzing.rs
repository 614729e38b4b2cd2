//! What fuzzing runs: the files that the sidecar reads, and the lines that Nginx logs.

use std::net::SocketAddr;

use data_encoding::BASE64;
use ipnet::IpNet;

use crate::{certificate::not_after, nginx_log, nodes_conf::parse_nodes, sources::file};

/// The network of the nodes that a file may list.
const ALLOWED: &str = "127.0.0.0/8";

/// Reads the bytes as lines of Nginx's log, a certificate as DER or PEM, the upstream of a generation, and a list of
/// nodes.
pub fn sidecar_files(bytes: &[u8]) {
    log(bytes);
    let _ = not_after(&format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BASE64.encode(bytes)));
    let Ok(text) = str::from_utf8(bytes) else { return };
    let _ = not_after(text);
    let nodes = parse_nodes(text);
    let written: String = nodes.iter().map(|node| format!("  server {node} max_fails=2;\n")).collect();
    assert_eq!(parse_nodes(&written), nodes, "{written}");
    let allow: IpNet = ALLOWED.parse().expect("a network");
    if let Ok(nodes) = file::parse(text, &[allow]) {
        let is_usable = |node: &SocketAddr| allow.contains(&node.ip()) && node.port() != 0;
        assert!(!nodes.is_empty() && nodes.iter().all(is_usable), "{nodes:?}");
    }
}

/// Filters lines of a log. No query may be left in them, and what is left must stay as it is.
fn log(lines: &[u8]) {
    let filtered = |lines: &[u8]| {
        let mut written = Vec::new();
        nginx_log::run(lines, &mut written).expect("what is in memory can be read");
        written
    };
    let written = filtered(lines);
    assert!(written.split(|byte| *byte == b'?').skip(1).all(|rest| rest.starts_with(b"[cut]")));
    assert_eq!(filtered(&written), written);
}

#[cfg(test)]
mod tests {
    use muster_testkit::corpus;

    use super::*;

    #[test]
    fn every_file_that_was_found_is_read_or_refused() {
        for (file, bytes) in corpus::files("sidecar_files") {
            // Printed first, so that a panic comes after the name of its input.
            println!("{}", file.display());
            sidecar_files(&bytes);
        }
    }
}
