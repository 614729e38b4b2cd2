//! The terminal's alternate screen, without echo. The kernel still turns Ctrl-C into SIGINT: no key is read here.

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

/// The terminal's modes before; `None` while the ordinary screen is shown.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The alternate screen, until this is dropped.
pub struct AlternateScreen(());

impl AlternateScreen {
    /// Enters it on stderr, which must be a terminal. A panic of any thread leaves it before its message is printed.
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

    /// Whether it is still shown: [`leave`] may have left it.
    pub fn is_shown(&self) -> bool {
        lock().is_some()
    }
}

impl Drop for AlternateScreen {
    fn drop(&mut self) {
        leave();
    }
}

/// Leaves the alternate screen if it is shown: the terminal is as it was before.
pub fn leave() {
    if let Some(before) = lock().take() {
        let _ = execute!(stderr(), Show, LeaveAlternateScreen);
        let _ = tcsetattr(stderr(), OptionalActions::Now, &before);
    }
}

fn lock() -> MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}
