#![no_main]

// The sidecar is a program and no library, so its files are compiled here once more.
#[allow(dead_code)]
#[path = "../../nginx/src/certificate.rs"]
mod certificate;
#[allow(dead_code)]
#[path = "../../nginx/src/sources/file.rs"]
mod file;
#[path = "../../nginx/src/fuzzing.rs"]
mod fuzzing;
#[path = "../../nginx/src/nginx_log.rs"]
mod nginx_log;
#[path = "../../nginx/src/nodes_conf.rs"]
mod nodes_conf;

mod membership {
    pub type Members = std::collections::BTreeSet<std::net::SocketAddr>;
}
mod own_files {
    pub const CERTIFICATE: &str = "";
    pub const FOLDER: &str = "";
}
mod sources {
    pub(crate) use crate::file;
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::sidecar_files(bytes));
