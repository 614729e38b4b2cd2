//! The terminal's alternate screen, without echo. No key is read: the kernel still turns Ctrl-C into SIGINT.

use std::{
    io::{self, Write, stderr},
    panic,
    sync::{Mutex, MutexGuard, Once, PoisonError},
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Enters the alternate screen, hides the cursor, and turns off the wrapping of long lines: a title of wide characters
/// is cut off at the right edge.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l";
/// Undoes [`ENTER`].
const LEAVE: &[u8] = b"\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The modes of the terminal before the alternate screen was entered; `None` while the ordinary screen is shown.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Shows the alternate screen until this value is dropped or [`leave`] is called.
pub struct AlternateScreen(());

impl AlternateScreen {
    /// Enters the alternate screen on stderr. Fails if stderr is no terminal. A panic of any thread leaves the
    /// alternate screen before its message is printed.
    pub fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let print = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                leave();
                print(panic);
            }));
        });
        let before = tcgetattr(stderr())?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(stderr(), OptionalActions::Now, &modes)?;
        *lock() = Some(before);
        let screen = Self(());
        stderr().write_all(ENTER)?;
        Ok(screen)
    }

    /// Whether the alternate screen is still shown. It is not after [`leave`].
    pub fn is_shown(&self) -> bool {
        lock().is_some()
    }

    /// Writes a frame, or nothing after [`leave`]: a frame must not reach the ordinary screen. An error of the terminal
    /// is ignored, because it must not stop the run.
    pub fn write(&self, frame: &str) {
        if lock().is_some() {
            let _ = stderr().write_all(frame.as_bytes());
        }
    }
}

impl Drop for AlternateScreen {
    fn drop(&mut self) {
        leave();
    }
}

/// Leaves the alternate screen if it is shown, and restores the modes of the terminal.
pub fn leave() {
    let mut shown = lock();
    if let Some(before) = shown.take() {
        let _ = stderr().write_all(LEAVE);
        let _ = tcsetattr(stderr(), OptionalActions::Now, &before);
    }
}

fn lock() -> MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}
