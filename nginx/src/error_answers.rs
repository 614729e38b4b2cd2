//! Counts the errors that clients get (429 and 5xx), by status and cause. Nginx reports each error in a datagram, as to
//! a syslog server: so no file grows, and no request waits. A datagram is lost if it comes faster than the sidecar
//! reads, or while no sidecar runs. Any process of this host can send such datagrams, so no decision depends on the
//! counts.

use std::{net::UdpSocket, path::Path, thread, time::Duration};

use prometheus::IntCounterVec;
use rustix::net::{RecvFlags, recv};

use crate::ports::{LOOPBACK, Ports};

/// The longest datagram that is read, in bytes; the rest is cut off. A datagram has some 100 bytes, and more if Nginx
/// tried many nodes for the request.
const DATAGRAM_MAX: usize = 2048;
/// The wait after every datagram was read, or after an error of the socket, which may last. In a storm Nginx sends
/// thousands of datagrams a second: a thread that woke for each would take its time from the nodes beside it. The
/// socket holds about 250 datagrams.
const PAUSE: Duration = Duration::from_millis(20);

/// The statuses that are counted apart. All others of 5xx are `other`.
pub const STATUSES: [&str; 5] = ["429", "500", "502", "503", "504"];
/// The causes of a 429 that no node gave: of what an address, or the proxy, had too much.
pub const LIMITS: [&str; 4] = ["sessions", "requests", "calls", "refusals"];
/// The causes of the other errors: a node gave the answer, no node gave one, or Nginx knew no node or failed itself.
pub const FAILURES: [&str; 3] = ["node", "unreachable", "proxy"];

/// Counts from now on, on a thread of its own, since a flood of errors must not hold up the loop. Listens at the
/// address in `ports`, or at another one if that is taken, and writes it to `ports`. Logs if this host gives no
/// address; nothing is counted then.
pub fn count(ports: &mut Ports, dir: &Path, counter: &IntCounterVec) {
    let counting = listen(ports, dir).and_then(|socket| {
        let counter = counter.clone();
        thread::Builder::new().name("errors".into()).spawn(move || count_all(&socket, &counter))?;
        Ok(())
    });
    if let Err(error) = counting {
        tracing::warn!("the errors that clients get are not counted: {error:#}");
        ports.errors = None;
    }
}

fn listen(ports: &mut Ports, dir: &Path) -> anyhow::Result<UdpSocket> {
    let before = ports.errors.and_then(|address| UdpSocket::bind(address).ok());
    let socket = before.map_or_else(|| UdpSocket::bind(LOOPBACK), Ok)?;
    let address = socket.local_addr()?;
    if ports.errors.replace(address) != Some(address) {
        ports.keep(dir)?;
    }
    Ok(socket)
}

fn count_all(socket: &UdpSocket, counter: &IntCounterVec) -> ! {
    let mut datagram = [0; DATAGRAM_MAX];
    loop {
        let mut flags = RecvFlags::empty();
        while let Ok((length, _)) = recv(socket, &mut datagram, flags) {
            if let Some((code, cause)) = read(&datagram[..length]) {
                counter.with_label_values(&[code, cause]).inc();
            }
            flags = RecvFlags::DONTWAIT;
        }
        thread::sleep(PAUSE);
    }
}

/// Reads the status and the cause from a datagram of Nginx (`log_format muster_error` in templates/http.conf). `None`
/// if it is something else.
fn read(datagram: &[u8]) -> Option<(&'static str, &'static str)> {
    let (_, told) = std::str::from_utf8(datagram).ok()?.split_once(" muster: ")?;
    let mut words = told.split_ascii_whitespace();
    let (status, connections, requests, limit) = (words.next()?, words.next()?, words.next()?, words.next()?);
    // The last words are one time for each node that Nginx asked. The last node gave the answer if it has a time.
    let is_of_node = words.last()?.parse::<f64>().is_ok();
    let cause = match (connections, requests) {
        ("REJECTED", _) if limit == "sessions" => "sessions",
        ("REJECTED", _) => "requests",
        (_, "REJECTED") if limit == "refusals" => "refusals",
        (_, "REJECTED") => "calls",
        _ if is_of_node => "node",
        _ if matches!(status, "502" | "504") => "unreachable",
        _ => "proxy",
    };
    Some((label(status)?, cause))
}

/// Returns the value of the label `status`.
fn label(status: &str) -> Option<&'static str> {
    let is_number = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    let known = STATUSES.into_iter().find(|known| *known == status);
    known.or_else(|| (is_number && status.starts_with('5')).then_some("other"))
}

#[cfg(test)]
mod tests {
    use muster_testkit::wait::blocking_until;

    use super::*;
    use crate::metrics::Metrics;

    fn told(text: &str) -> Option<(&'static str, &'static str)> {
        read(format!("<190>Nov 28 23:35:00 muster: {text}").as_bytes())
    }

    #[test]
    fn each_error_has_the_cause_that_nginx_told() {
        for (text, expected) in [
            ("429 REJECTED - sessions -", ("429", "sessions")),
            ("429 REJECTED - calls -", ("429", "requests")),
            ("429 PASSED REJECTED calls -", ("429", "calls")),
            ("429 PASSED REJECTED refusals 0.001", ("429", "refusals")),
            ("429 PASSED - sessions 0.001 : 0.002", ("429", "node")),
            ("503 PASSED - sessions -, 0.004", ("503", "node")),
            ("502 PASSED - sessions 0.001 : -, -", ("502", "unreachable")),
            ("504 PASSED PASSED calls -", ("504", "unreachable")),
            ("503 - - calls -", ("503", "proxy")),
            ("500 - - calls -", ("500", "proxy")),
            ("505 - - calls -", ("other", "proxy")),
        ] {
            assert_eq!(told(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_nginx_does_not_tell_is_not_counted() {
        for text in ["", "429", "200 - - calls -", "5 - - calls -", "5xx - - calls -", "429 REJECTED - sessions"] {
            assert_eq!(told(text), None, "{text}");
        }
        assert_eq!(read(b"<190>Nov 28 23:35:00 host other: 429 - - calls -"), None);
        assert_eq!(read(b" muster: 429 - - calls \xff"), None);
    }

    #[test]
    fn a_sidecar_that_starts_again_counts_at_the_address_of_before() {
        let dir = tempfile::tempdir().unwrap();
        let mut ports = Ports::choose(dir.path(), LOOPBACK, false).unwrap();
        drop(listen(&mut ports, dir.path()).unwrap());
        let stored = Ports::choose(dir.path(), LOOPBACK, false).unwrap();
        assert_eq!((stored, stored.errors.is_some()), (ports, true));
        let counter = Metrics::default().errors_answered;
        let mut again = stored;
        count(&mut again, dir.path(), &counter);
        assert_eq!(again, ports);
        let mut third = stored;
        assert_ne!(listen(&mut third, dir.path()).unwrap().local_addr().ok(), ports.errors, "it is taken");

        let sender = UdpSocket::bind(LOOPBACK).unwrap();
        for text in ["noise", "<190>Nov 28 23:35:00 muster: 502 - - calls -"] {
            sender.send_to(text.as_bytes(), ports.errors.unwrap()).unwrap();
        }
        let counter = counter.with_label_values(&["502", "unreachable"]);
        blocking_until("it is counted", || counter.get() == 1);
    }
}
