//! Watches the operator's own files. The sidecar applies them when they change. If Nginx does not accept them, it goes
//! on with the copy that it runs with, and the sidecar tries the files again later.

use std::time::Instant;

use crate::{config::Config, own_files::OwnFiles, retry::RetryDelay};

/// The error text is cut off after this many bytes. Nginx's own messages have a line or two.
const ERROR_MAX: usize = 1000;

/// What is known of the operator's own files. `None` in place of an [`OwnFiles`] means that they can't be read.
#[derive(Default)]
pub struct OwnFilesWatch {
    seen: Option<Option<OwnFiles>>,
    refused: Option<RefusedOwnFiles>,
    /// Nginx runs a generation that was made for other settings of the sidecar.
    outdated: bool,
}

struct RefusedOwnFiles {
    retry: RetryDelay<Option<OwnFiles>>,
    error: String,
}

impl OwnFilesWatch {
    /// Reads the files, and returns the reason for a reload if they are to be applied now: they differ from the
    /// `running` ones and are the same as at the last look. One look is not enough, since a certificate and its key are
    /// not replaced at the same moment.
    pub fn look(&mut self, config: &Config, running: Option<&OwnFiles>, now: Instant) -> Option<&'static str> {
        let own = OwnFiles::read(config).ok();
        let is_steady = self.seen.as_ref() == Some(&own);
        let change = self.change(own.as_ref(), running);
        if change.is_none() {
            self.refused = None;
        }
        let due = is_steady && !self.delays(&own, now);
        self.seen = Some(own);
        change.filter(|_| due)
    }

    /// Reads the files, and returns the reason for a reload if they differ from the `running` ones. One look is enough,
    /// also if Nginx refused them a moment ago: the operator says that they are to be used.
    pub fn look_once(&mut self, config: &Config, running: Option<&OwnFiles>) -> Option<&'static str> {
        let own = OwnFiles::read(config).ok();
        let change = self.change(own.as_ref(), running);
        self.seen = Some(own);
        change
    }

    /// Returns the reason for a reload. `None` if Nginx runs with these files and with the settings.
    fn change(&self, own: Option<&OwnFiles>, running: Option<&OwnFiles>) -> Option<&'static str> {
        match (own, running) {
            _ if own == running => self.outdated.then_some("settings"),
            (Some(own), Some(running)) => Some(own.reason(running)),
            _ => Some("snippets"),
        }
    }

    /// Returns whether these files were refused and are not to be tried again yet.
    pub fn delays(&self, own: &Option<OwnFiles>, now: Instant) -> bool {
        self.refused.as_ref().is_some_and(|refused| refused.retry.delays(own, now))
    }

    /// Records that Nginx did not accept these files.
    pub fn refused(&mut self, own: Option<OwnFiles>, error: &anyhow::Error, now: Instant) {
        let mut text = format!("{error:#}");
        text.truncate(text.floor_char_boundary(ERROR_MAX));
        let retry = match self.refused.take() {
            None => RetryDelay::new(own, now),
            Some(mut before) => {
                before.retry.failed(own, now);
                before.retry
            }
        };
        self.refused = Some(RefusedOwnFiles { retry, error: text });
    }

    /// Records that Nginx runs a generation that was made for other settings.
    pub fn outdated(&mut self) {
        self.outdated = true;
    }

    /// Records that Nginx runs with the current settings; and `with_own`, that it runs with the files themselves and
    /// not with an older copy.
    pub fn applied(&mut self, with_own: bool) {
        self.outdated = false;
        if with_own {
            self.refused = None;
        }
    }

    /// Returns why Nginx does not run with the files as they are. `None` if it does.
    pub fn error(&self) -> Option<&str> {
        self.refused.as_ref().map(|refused| refused.error.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;

    #[test]
    fn changed_files_are_applied_once_they_are_the_same_at_two_looks() {
        let dir = tempfile::tempdir().unwrap();
        let config = crate::config::tests::config(&["--dir", dir.path().to_str().unwrap()]).load_files().unwrap();
        let (mut watch, mut now) = (OwnFilesWatch::default(), Instant::now());
        let running = OwnFiles::read(&config).unwrap();
        let snippet = dir.path().join("snippets/http/own.conf");
        for _ in 0..2 {
            assert_eq!(watch.look(&config, Some(&running), now), None, "the same");
        }
        fs::write(&snippet, "own").unwrap();
        assert_eq!(watch.look(&config, Some(&running), now), None, "seen for the first time");
        assert_eq!(watch.look(&config, Some(&running), now), Some("snippets"));
        watch.refused(OwnFiles::read(&config).ok(), &anyhow::anyhow!("broken"), now);
        assert_eq!((watch.look(&config, Some(&running), now), watch.error()), (None, Some("broken")));
        now += Duration::from_secs(1);
        assert_eq!(watch.look(&config, Some(&running), now), Some("snippets"), "it is tried again");
        fs::remove_file(&snippet).unwrap();
        assert_eq!((watch.look(&config, Some(&running), now), watch.error()), (None, None), "the change was undone");
    }

    #[test]
    fn files_are_applied_at_the_first_look_if_the_operator_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let config = crate::config::tests::config(&["--dir", dir.path().to_str().unwrap()]).load_files().unwrap();
        let mut watch = OwnFilesWatch::default();
        let running = OwnFiles::read(&config).unwrap();
        assert_eq!(watch.look_once(&config, Some(&running)), None, "the same");
        fs::write(dir.path().join("snippets/http/own.conf"), "own").unwrap();
        assert_eq!(watch.look_once(&config, Some(&running)), Some("snippets"));
        watch.refused(OwnFiles::read(&config).ok(), &anyhow::anyhow!("broken"), Instant::now());
        assert_eq!(watch.look_once(&config, Some(&running)), Some("snippets"), "it is tried again at once");
    }

    #[test]
    fn a_generation_for_other_settings_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let config = crate::config::tests::config(&["--dir", dir.path().to_str().unwrap()]).load_files().unwrap();
        let (mut watch, now) = (OwnFilesWatch::default(), Instant::now());
        let running = OwnFiles::read(&config).unwrap();
        watch.outdated();
        let look = |watch: &mut OwnFilesWatch| watch.look(&config, Some(&running), now);
        assert_eq!([look(&mut watch), look(&mut watch)], [None, Some("settings")]);
        watch.applied(true);
        assert_eq!(look(&mut watch), None);
    }
}
