//! Which servers a terminal trusts, and which certificate it shows them.

use std::{
    fmt, fs,
    path::Path,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use muster_net::{BadTlsFile, Tls, TlsFiles};
use tokio::{task::spawn_blocking, time::timeout};

use crate::platform;

/// How long an attempt to connect waits for files that have changed.
const READING: Duration = Duration::from_secs(1);

/// The TLS settings of terminals, from files. The first terminal with a `wss://` URL reads them when it starts. Before
/// each attempt to connect, a terminal looks at the files and reads again what has changed, so a renewed certificate
/// needs no restart. If the files can't be used any more, the terminal goes on with what it read before, and logs a
/// warning.
///
/// By default a terminal trusts what the system trusts, and shows no certificate. Clones share what was read: a program
/// with many terminals makes one source, and gives each terminal a clone.
#[derive(Clone)]
pub struct TlsSource(Arc<Unread>);

struct Unread {
    files: TlsFiles,
    read: OnceLock<Arc<WatchedTls>>,
}

impl TlsSource {
    /// Makes a source of the settings in these files.
    pub fn files(files: TlsFiles) -> Self {
        Self(Arc::new(Unread { files, read: OnceLock::new() }))
    }

    /// Returns the settings, and reads them if that has not been done.
    ///
    /// # Errors
    /// If a file can't be used. The text names it.
    pub(crate) fn load(&self) -> Result<Arc<WatchedTls>, BadTlsFile> {
        if let Some(read) = self.0.read.get() {
            return Ok(read.clone());
        }
        let read = Arc::new(WatchedTls::read(self.0.files.clone())?);
        Ok(self.0.read.get_or_init(|| read).clone())
    }

    /// Returns the name of the first setting; `None` if nothing is set.
    pub(crate) fn first_setting(&self) -> Option<&'static str> {
        self.0.files.first_flag()
    }
}

impl Default for TlsSource {
    fn default() -> Self {
        static SYSTEM: LazyLock<TlsSource> = LazyLock::new(|| TlsSource::files(TlsFiles::default()));
        SYSTEM.clone()
    }
}

impl fmt::Debug for TlsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.files.fmt(f)
    }
}

/// Settings that were read, and the files that are read again when they change.
pub(crate) struct WatchedTls {
    files: TlsFiles,
    last: Mutex<ReadTls>,
    /// Whether a thread reads the files now. So a file system that hangs holds one thread, and not one for each
    /// attempt.
    is_reading: AtomicBool,
}

struct ReadTls {
    tls: Tls,
    stamps: Vec<Option<FileStamp>>,
}

/// What changes when a file is replaced or rewritten: its time, size and number.
type FileStamp = (Option<SystemTime>, u64, u64);

impl WatchedTls {
    fn read(files: TlsFiles) -> Result<Self, BadTlsFile> {
        let last = Mutex::new(ReadTls::read(&files)?);
        Ok(Self { files, last, is_reading: AtomicBool::new(false) })
    }

    /// Returns the settings as the files are now. Returns the settings from before if the files are being read for
    /// another terminal, or if reading takes longer than [`READING`].
    pub(crate) async fn current(self: &Arc<Self>) -> Tls {
        if self.files.paths().next().is_some() && !self.is_reading.swap(true, Ordering::AcqRel) {
            let watched = self.clone();
            let _ = timeout(READING, spawn_blocking(move || watched.read_again())).await;
        }
        self.last().tls.clone()
    }

    fn last(&self) -> MutexGuard<'_, ReadTls> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_again(&self) {
        let has_changed = stamps(&self.files) != self.last().stamps;
        if has_changed {
            match ReadTls::read(&self.files) {
                Ok(read) => *self.last() = read,
                Err(error) => {
                    tracing::warn!(%error, "a file for TLS has changed and can't be used; what it held before is used")
                }
            }
        }
        self.is_reading.store(false, Ordering::Release);
    }
}

impl fmt::Debug for WatchedTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

impl ReadTls {
    fn read(files: &TlsFiles) -> Result<Self, BadTlsFile> {
        // A file that changes after this has another stamp, and is read again.
        let stamps = stamps(files);
        Ok(Self { tls: Tls::load(files)?, stamps })
    }
}

fn stamps(files: &TlsFiles) -> Vec<Option<FileStamp>> {
    files.paths().map(stamp).collect()
}

fn stamp(file: &Path) -> Option<FileStamp> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.modified().ok(), metadata.len(), platform::file_number(&metadata)))
}

#[cfg(test)]
mod tests {
    use muster_testkit::Certificates;

    use super::*;

    fn trusting(made: &Certificates) -> TlsSource {
        TlsSource::files(TlsFiles { ca: Some(made.file("trusted")), ..TlsFiles::default() })
    }

    fn put(made: &Certificates, name: &str) {
        fs::copy(made.file(name), made.file("next")).unwrap();
        fs::rename(made.file("next"), made.file("trusted")).unwrap();
    }

    #[tokio::test]
    async fn a_file_is_read_again_when_it_changes_and_a_broken_one_changes_nothing() {
        let made = Certificates::make();
        put(&made, "ca.pem");
        let watched = trusting(&made).load().unwrap();
        let first = watched.current().await;
        assert!(first.is_same_as(&watched.current().await), "an unchanged file is not read again");
        put(&made, "other.pem");
        let renewed = watched.current().await;
        assert!(!renewed.is_same_as(&first));
        put(&made, "san");
        assert!(watched.current().await.is_same_as(&renewed));
        put(&made, "ca.pem");
        assert!(!watched.current().await.is_same_as(&renewed));
    }

    #[test]
    fn a_file_that_can_not_be_used_is_named() {
        let told = trusting(&Certificates::make()).load().unwrap_err().to_string();
        assert!(told.starts_with("ca /") && told.contains("/trusted: No such file"), "{told}");
    }
}
