#![no_main]

// The agent is a program and no library, so its files are compiled here once more.
#[path = "../../terminal/src/fuzzing.rs"]
mod fuzzing;
#[allow(dead_code)]
#[path = "../../terminal/src/signature.rs"]
mod signature;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::signature(bytes));
