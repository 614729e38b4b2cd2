//! The alternate screen on standard output.

use std::io::{self, Write};

use rustix::{
    process::{Signal, getpid, kill_process},
    termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr},
};

/// Enters the alternate screen, hides the cursor, and keeps text that is wider than the screen off the next line.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
/// Undoes [`ENTER`].
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// How many columns and rows a screen has that does not say so.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// The alternate screen, until this is dropped. Keys come one by one and are not echoed; Ctrl-C and Ctrl-Z still send
/// signals.
pub struct TopScreen {
    before: Termios,
}

impl TopScreen {
    /// Enters the alternate screen.
    ///
    /// # Errors
    /// If standard output is no screen.
    pub fn enter() -> io::Result<Self> {
        let screen = Self { before: tcgetattr(io::stdout())? };
        screen.take()?;
        Ok(screen)
    }

    /// Shows the lines that `lines` makes for the rows of the screen. A line is cut off at the right edge.
    ///
    /// # Errors
    /// If standard output can't be written to.
    pub fn show(&self, lines: impl FnOnce(usize) -> Vec<String>) -> io::Result<()> {
        let (columns, rows) = size();
        let mut lines = lines(rows);
        lines.resize(rows, String::new());
        // A line is wiped before it is written: after it, the cursor may stand on its last character.
        let written: Vec<_> =
            lines.iter().map(|line| "\x1b[K".chars().chain(line.chars().take(columns)).collect::<String>()).collect();
        write(&format!("\x1b[H{}", written.join("\r\n")))
    }

    /// Gives the screen back and stops the process, until the shell lets it go on.
    ///
    /// # Errors
    /// If standard output is no screen any more.
    pub fn suspend(&mut self) -> io::Result<()> {
        self.give_back();
        kill_process(getpid(), Signal::STOP)?;
        self.before = tcgetattr(io::stdout())?;
        self.take()
    }

    fn take(&self) -> io::Result<()> {
        let mut modes = self.before.clone();
        modes.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdout(), OptionalActions::Now, &modes)?;
        write(ENTER)
    }

    fn give_back(&self) {
        let _ = write(LEAVE);
        let _ = tcsetattr(io::stdout(), OptionalActions::Now, &self.before);
    }
}

impl Drop for TopScreen {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL_SIZE,
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
