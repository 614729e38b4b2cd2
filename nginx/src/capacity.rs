//! What `--sessions` needs of the host, and the connections for which there was no room nevertheless.

use std::net::SocketAddr;

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{config::Config, control::ask, resolve::describe};

/// The module of Nginx that counts connections, as `nginx -V` names it.
const MODULE: &str = "--with-http_stub_status_module";

/// Checks that Nginx may open as many files as its workers need, and raises the limit if this process may do that. An
/// error names the flag and the limit.
pub fn check_limits(config: &Config) -> anyhow::Result<()> {
    let (needed, limit) = (u64::from(config.open_files()), getrlimit(Resource::Nofile));
    let Some(most) = limit.maximum.filter(|most| *most < needed) else { return Ok(()) };
    let raised = Rlimit { maximum: Some(needed), ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        bail!(
            "--sessions {}: each of the {} workers of Nginx needs {needed} open files, and the limit is {most} and can't be raised ({error}): \
             raise it (LimitNOFILE= of a unit, --ulimit nofile= of a container, ulimit -Hn; the sysctl fs.nr_open is above it), or lower \
             --sessions",
            config.sessions,
            config.workers
        );
    }
    Ok(())
}

/// Returns whether Nginx can tell how many connections it has dropped. Some builds have no module for that.
pub async fn counts_connections(config: &Config) -> bool {
    describe(config, "-V").await.is_ok_and(|printed| printed.contains(MODULE))
}

/// How many connections Nginx has closed without an answer, since a worker had no room for them.
#[derive(Debug, Default)]
pub struct DroppedConnections {
    /// What Nginx had counted at the last look. `None` before the first one.
    last: Option<Connections>,
    /// How many drops were reported.
    told: u64,
}

/// What Nginx has counted since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Connections {
    accepted: u64,
    /// The connections that Nginx has accepted and not handled: it dropped them, or will handle them in a moment.
    unhandled: u64,
}

impl DroppedConnections {
    /// Asks Nginx. Returns how many connections were dropped that were not reported before, as far as two looks in a
    /// row show it. Returns 0 if Nginx does not answer, since it may have no room for this question either. The next
    /// answer then has all of them.
    pub async fn look(&mut self, control: SocketAddr) -> u64 {
        let counted = ask(control, "/connections").await.ok().and_then(|answer| connections(&answer));
        self.take(counted)
    }

    fn take(&mut self, counted: Option<Connections>) -> u64 {
        let Some(now) = counted else { return 0 };
        let Some(last) = self.last.replace(now) else {
            // Connections that were dropped before this sidecar's first look are not reported.
            self.told = now.unhandled;
            return 0;
        };
        if now.accepted < last.accepted {
            // An Nginx that was started anew counts from 0.
            self.told = 0;
            return 0;
        }
        let new = now.unhandled.min(last.unhandled).saturating_sub(self.told);
        self.told += new;
        new
    }
}

/// Reads the numbers of `stub_status`.
fn connections(answer: &str) -> Option<Connections> {
    let (_, after) = answer.split_once("server accepts handled requests")?;
    let mut numbers = after.split_whitespace().map(str::parse::<u64>);
    let (accepted, handled) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(Connections { accepted, unhandled: accepted.saturating_sub(handled) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_accepted_and_not_handled_was_dropped() {
        let answer = "HTTP/1.1 200 OK\r\n\r\nActive connections: 3 \nserver accepts handled requests\n 110 107 90 \nReading: 0 Writing: 1 Waiting: 2 \n";
        assert_eq!(connections(answer), Some(Connections { accepted: 110, unhandled: 3 }));
        assert_eq!(connections("HTTP/1.1 404 Not Found\r\n\r\n"), None);
    }

    #[test]
    fn each_is_counted_once_and_a_new_nginx_counts_anew() {
        let mut connections = DroppedConnections::default();
        let mut take = |accepted, unhandled| connections.take(Some(Connections { accepted, unhandled }));
        assert_eq!([take(10, 3), take(10, 3)], [0, 0], "they were dropped before");
        assert_eq!([take(20, 6), take(30, 4), take(40, 5)], [0, 1, 0], "two were on their way");
        assert_eq!([take(50, 5)], [1], "and one was not");
        assert_eq!([take(2, 1), take(3, 1)], [0, 1], "Nginx was started anew");
    }
}
