//! The filter for the error log of an Nginx of the sidecar's own: the command `muster-sidecar filter-log`, through
//! which Nginx's standard error goes. Nginx writes the whole line of a request with its errors. The query in that line
//! may hold a token or any other secret, under whatever name, so the filter cuts out every query.
//!
//! The filter is a process of its own, since Nginx goes on when the sidecar is killed. It ends when the last process of
//! Nginx has ended.

use std::io::{self, BufRead, BufReader, Read, Write};

/// The longest line that is read at once, in bytes. Nginx cuts its lines off after 2048. The rest of a longer line
/// counts as a line of its own.
const LINE_MAX: u64 = 64 << 10;
/// What is written in the place of a query.
const CUT: &[u8] = b"?[cut]";

/// Copies the lines of `from` to `to` without queries, until `from` ends. A line that can't be written is dropped.
pub fn run(from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut lines = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let _ = to.write_all(&without_queries(&line));
    }
}

/// Returns the line without what follows each `?`, up to the next blank: Nginx accepts no blank within a URL.
fn without_queries(line: &[u8]) -> Vec<u8> {
    let mut rest = line;
    let mut kept = Vec::with_capacity(line.len());
    while let Some(query) = rest.iter().position(|byte| *byte == b'?') {
        kept.extend_from_slice(&rest[..query]);
        kept.extend_from_slice(CUT);
        rest = &rest[query..];
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        let quoted = [&b"\","[..], b"\""].into_iter().find(|quote| rest[..end].ends_with(quote));
        kept.extend_from_slice(quoted.unwrap_or_default());
        rest = &rest[end..];
    }
    kept.extend_from_slice(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(text: &str) -> String {
        let mut out = Vec::new();
        run(text.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_query_is_cut_out_of_a_line() {
        let line = "2026/01/01 00:00:00 [error] 7#7: *1 upstream timed out, client: 127.0.0.1, server: , request: \"GET \
                    /ws?terminal_id=t1&token=secret HTTP/1.1\", upstream: \"http://127.0.0.1:9/ws?code=secret\", host: \"x\", \
                    referrer: \"https://x/?api_key=secret\"\n";
        let filtered = filtered(line);
        assert!(!filtered.contains("secret") && filtered.matches("?[cut]").count() == 3, "{filtered}");
        assert!(filtered.contains("\"GET /ws?[cut] HTTP/1.1\", upstream: \"http://127.0.0.1:9/ws?[cut]\", host:"));
        assert!(filtered.ends_with("referrer: \"https://x/?[cut]\"\n"));
    }

    #[test]
    fn a_query_that_is_made_to_look_like_its_end_is_cut_out_too() {
        assert_eq!(filtered("\"GET /ws?a=\",b?token=secret&c=\"d HTTP/1.1\"\n"), "\"GET /ws?[cut] HTTP/1.1\"\n");
        assert_eq!(filtered("\"GET /ws?token=secret"), "\"GET /ws?[cut]");
    }

    #[test]
    fn other_lines_and_bytes_are_not_changed() {
        let mut out = Vec::new();
        run(&b"[warn] \xff a line\nand one without an end"[..], &mut out).unwrap();
        assert_eq!(out, b"[warn] \xff a line\nand one without an end");
    }
}
