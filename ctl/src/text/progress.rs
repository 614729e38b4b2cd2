//! The progress of a command, as one line on the screen that is written again and again.

use std::io::{self, IsTerminal, Write};

use muster_protocol::api::{CommandView, TargetState};

use super::{count, grouped, one_line};

/// The number of characters of the bar.
const BAR: u64 = 24;

/// A line on standard error. It writes nothing if standard error is no screen.
#[derive(Debug)]
pub struct ProgressLine {
    is_shown: bool,
    /// Whether a line is there that must be wiped out.
    is_written: bool,
}

impl ProgressLine {
    /// Returns a line that is not written yet.
    pub fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal(), is_written: false }
    }

    /// Writes the line again.
    pub fn show(&mut self, command: &CommandView) {
        self.write(&line(command));
    }

    /// Writes why the program knows nothing just now.
    pub fn say(&mut self, text: &str) {
        self.write(&one_line(text));
    }

    /// Wipes the line out.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.is_written) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn write(&mut self, line: &str) {
        if self.is_shown {
            self.is_written = true;
            let _ = write!(io::stderr(), "\r\x1b[K{line}").and_then(|()| io::stderr().flush());
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.clear();
    }
}

fn line(command: &CommandView) -> String {
    format!("{} {} {}", one_line(&command.name), bar(command, BAR), states(command))
}

/// Returns a bar of so many characters, filled by the targets that have ended or were confirmed.
pub fn bar(command: &CommandView, length: u64) -> String {
    let waiting = [TargetState::Queued, TargetState::Sent, TargetState::Running];
    let open: u64 = waiting.iter().filter_map(|state| command.counts.get(state)).sum();
    let filled = match command.targets {
        0 => length,
        targets => length * targets.saturating_sub(open) / targets,
    };
    "█".repeat(filled as usize) + &"░".repeat((length - filled) as usize)
}

/// Returns the counts of a command in words, such as `2 terminals: 1 acked, 1 queued`.
pub fn states(command: &CommandView) -> String {
    let counts = command.counts.iter().filter(|(_, count)| **count > 0);
    let counts: Vec<String> = counts.map(|(state, count)| format!("{} {}", grouped(*count), state.name())).collect();
    let targets = count(command.targets, "terminal");
    if counts.is_empty() { targets } else { format!("{targets}: {}", counts.join(", ")) }
}
