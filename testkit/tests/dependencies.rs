//! Programs do not depend on this crate: only tests do.

use std::{fs, path::Path};

#[test]
fn only_dev_dependencies_name_the_testkit() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut named = 0;
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path().join("Cargo.toml");
        let Ok(manifest) = fs::read_to_string(&path) else { continue };
        let mut section = "";
        for line in manifest.lines() {
            if line.starts_with('[') {
                section = line;
            } else if line.starts_with("muster-testkit") {
                named += 1;
                assert_eq!(section, "[dev-dependencies]", "{}", path.display());
            }
        }
    }
    assert!(named > 0, "no manifest was read");
}
