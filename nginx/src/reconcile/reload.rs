//! The part of the loop that reads files again because the operator asks for it (SIGHUP).

use std::time::Instant;

use serde_json::json;

use super::{Reconcile, decided};
use crate::reload_pacing::Urgency;

impl Reconcile {
    /// Reads again all files that flags name, and applies at once what has changed. If a file can't be used, its last
    /// content stays in use, and the log says why.
    pub(super) async fn read_files_again(&mut self) {
        self.manager.reloading();
        let reread = self.source.reread(&self.config).await;
        if let Err(error) = &reread {
            tracing::error!("SIGHUP: the secrets, and the files for Redis, stay as they were: {error:#}");
        }
        self.terms.ask_again();
        let change = self.activation.own_files_differ();
        decided(json!({ "decision": "read files again", "secrets": reread.is_ok(), "own_files": change }));
        self.reload_asked = true;
        match change {
            Some(reason) if !self.activation.active.nginx.is_away() => {
                self.reload_asked = false;
                // A reload that fails is given back.
                self.pace.spend();
                self.reload(&self.served.clone(), reason).await;
            }
            _ => self.reload_as_asked().await,
        }
        self.manager.ready(&self.status_line());
    }

    /// Reloads Nginx although the sidecar knows of no change: a snippet may name a file that has changed, such as a
    /// list of revoked certificates. Many requests make one reload, and it waits if there were many lately.
    pub(super) async fn reload_as_asked(&mut self) {
        if self.reload_asked
            && !self.activation.active.nginx.is_away()
            && self.pace.take_reload(Urgency::Lazy, self.crowded(), Instant::now()).is_ok()
        {
            self.reload_asked = false;
            self.reload(&self.served.clone(), "asked").await;
        }
    }

    /// Returns how the proxy does, in one line for people.
    pub(super) fn status_line(&self) -> String {
        let mut line =
            format!("Nginx serves {} nodes with generation {}", self.served.len(), self.activation.active.number());
        let problems = [
            (!self.trust.up() && !self.source.is_listed(), "Redis is away"),
            (!self.trust.up() && self.source.is_listed(), "the list of servers can't be read"),
            (self.activation.active.nginx.is_away(), "Nginx does not run"),
            (self.failure.is_some(), "a change of the nodes fails"),
            (self.activation.own.error().is_some(), "the snippets or the certificate can't be used"),
        ];
        for (_, problem) in problems.into_iter().filter(|(is_so, _)| *is_so) {
            line.push_str("; ");
            line.push_str(problem);
        }
        line
    }

    /// Tells the service manager how the proxy does, if that has changed.
    pub(super) fn tell_status(&mut self) {
        let line = self.status_line();
        if self.told != line {
            self.manager.status(&line);
            self.told = line;
        }
    }
}
