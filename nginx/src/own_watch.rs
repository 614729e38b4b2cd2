//! Whether the operator's own files are those that Nginx runs with, and what is wrong with them if they can't be. They are applied when
//! they change. When Nginx does not take them, it goes on with the copy of before, and they are tried again later.

use std::time::Instant;

use crate::{config::Config, own_files::OwnFiles, retry::RetryDelay};

/// The error of own files is shown up to this length, in bytes. Nginx's own is a line or two.
const ERROR_MAX: usize = 1000;

/// What was seen of own files. `None` in place of them: they could not be read.
#[derive(Default)]
pub struct OwnFilesWatch {
    seen: Option<Option<OwnFiles>>,
    refused: Option<RefusedOwnFiles>,
    /// What Nginx runs was made for other settings of the sidecar.
    outdated: bool,
}

struct RefusedOwnFiles {
    retry: RetryDelay<Option<OwnFiles>>,
    error: String,
}

impl OwnFilesWatch {
    /// Looks at the files, and says why they are to be applied now, if they are: they differ from the `running` ones and are the same as
    /// at the last look. A certificate and its key are two files, which are not replaced in one moment.
    pub fn look(&mut self, config: &Config, running: Option<&OwnFiles>, now: Instant) -> Option<&'static str> {
        let own = OwnFiles::read(config).ok();
        let is_steady = self.seen.as_ref() == Some(&own);
        let is_running = own.as_ref() == running;
        if is_running && !self.outdated {
            self.refused = None;
        }
        let due = is_steady && (!is_running || self.outdated) && !self.delays(&own, now);
        let reason = match (&own, running) {
            _ if is_running => "settings",
            (Some(own), Some(running)) => own.reason(running),
            _ => "snippets",
        };
        self.seen = Some(own);
        due.then_some(reason)
    }

    /// Whether these were refused and are not to be tried again yet.
    pub fn delays(&self, own: &Option<OwnFiles>, now: Instant) -> bool {
        self.refused.as_ref().is_some_and(|refused| refused.retry.delays(own, now))
    }

    /// Nginx did not take these.
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

    /// Nginx runs with what there was before the current settings.
    pub fn outdated(&mut self) {
        self.outdated = true;
    }

    /// Nginx was reloaded with the current settings; with these files too, if they are the operator's and not the copy.
    pub fn applied(&mut self, with_own: bool) {
        self.outdated = false;
        if with_own {
            self.refused = None;
        }
    }

    /// What is wrong with the files that are there.
    pub fn error(&self) -> Option<&str> {
        self.refused.as_ref().map(|refused| refused.error.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;

    #[test]
    fn files_are_applied_once_they_stand_still_and_are_not_those_that_run() {
        let dir = tempfile::tempdir().unwrap();
        let config = crate::config::tests::config(&["--dir", dir.path().to_str().unwrap()]).load_files().unwrap();
        let (mut watch, mut now) = (OwnFilesWatch::default(), Instant::now());
        let running = OwnFiles::read(&config).unwrap();
        let snippet = dir.path().join("snippets/http/own.conf");
        for _ in 0..2 {
            assert_eq!(watch.look(&config, Some(&running), now), None, "the same");
        }
        fs::write(&snippet, "own").unwrap();
        assert_eq!(watch.look(&config, Some(&running), now), None, "only just seen");
        assert_eq!(watch.look(&config, Some(&running), now), Some("snippets"));
        watch.refused(OwnFiles::read(&config).ok(), &anyhow::anyhow!("broken"), now);
        assert_eq!((watch.look(&config, Some(&running), now), watch.error()), (None, Some("broken")));
        now += Duration::from_secs(1);
        assert_eq!(watch.look(&config, Some(&running), now), Some("snippets"), "it is tried again");
        fs::remove_file(&snippet).unwrap();
        assert_eq!((watch.look(&config, Some(&running), now), watch.error()), (None, None), "it was put back");
    }

    #[test]
    fn what_was_made_for_other_settings_is_replaced_when_it_can_be() {
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
