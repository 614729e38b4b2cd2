#![no_main]

// The sidecar is a program and no library, so its files are compiled here once more.
#[path = "../../nginx/src/dns/fuzzing.rs"]
mod fuzzing;
#[allow(dead_code)]
#[path = "../../nginx/src/dns/wire.rs"]
mod wire;

libfuzzer_sys::fuzz_target!(|message: &[u8]| fuzzing::dns(message));
