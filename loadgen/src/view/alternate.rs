//! The terminal's alternate screen, without echo. No key is read: the kernel still turns Ctrl-C into SIGINT.

use std::{
    io::{self, stderr},
    panic,
    sync::{Mutex, MutexGuard, Once, PoisonError},
};

use ratatui::crossterm::{
    cursor::{Hide, Show},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen},
};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

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
        execute!(stderr(), EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    /// Whether the alternate screen is still shown. It is not after [`leave`].
    pub fn is_shown(&self) -> bool {
        lock().is_some()
    }
}

impl Drop for AlternateScreen {
    fn drop(&mut self) {
        leave();
    }
}

/// Leaves the alternate screen if it is shown, and restores the modes of the terminal.
pub fn leave() {
    if let Some(before) = lock().take() {
        let _ = execute!(stderr(), Show, LeaveAlternateScreen);
        let _ = tcsetattr(stderr(), OptionalActions::Now, &before);
    }
}

fn lock() -> MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}
