//! What fuzzing runs: the memory file of a terminal, after a power cut or another program has damaged it.

use crate::seen::SeenCommands;

/// How many commands are remembered: few, so that fuzzing reaches this limit.
const LIMIT: usize = 3;

/// Reads the bytes as a memory file, and takes their text as a cursor. What is remembered, written and read again must
/// stay the same.
pub(crate) fn memory_file(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let mut seen = remembered(text);
    check(&seen);
    seen.set_cursor(text.to_owned());
    check(&seen);
}

fn check(seen: &SeenCommands) {
    let written = seen.text();
    let again = remembered(&written);
    assert_eq!((again.cursor(), again.text()), (seen.cursor(), written));
    assert!(seen.results().eq(again.results()));
}

/// Returns what a terminal with this file remembers.
fn remembered(text: &str) -> SeenCommands {
    let mut seen = SeenCommands::open(LIMIT, None, None).expect("there is no file");
    seen.read(text);
    seen
}

#[cfg(test)]
mod tests {
    use muster_testkit::corpus;

    use super::*;

    #[test]
    fn every_memory_file_that_was_found_is_remembered_alike() {
        for (file, bytes) in corpus::files("memory_file") {
            // Printed first, so that a panic comes after the name of its input.
            println!("{}", file.display());
            memory_file(&bytes);
        }
    }
}
