#![no_main]

// What reads the file is private to the client, so its files are compiled here once more.
#[path = "../../client/src/fuzzing.rs"]
mod fuzzing;
#[allow(dead_code)]
#[path = "../../client/src/seen.rs"]
mod seen;

mod platform {
    pub(crate) fn sync_folder(_folder: &std::path::Path) -> std::io::Result<()> {
        Ok(())
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::memory_file(bytes));
