//! The JSON report of a run.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

/// Runs the command with `--json` and without output. Returns the report and the exit code.
pub fn report_of(mut command: Command) -> (Value, i32) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let status = command.arg("--json").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    (read(&file), status.code().expect("the run ended by itself"))
}

/// Reads a JSON report.
pub fn read(file: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(file).expect("a report was written")).unwrap()
}

/// Returns the gate of this name in a report.
pub fn gate<'a>(report: &'a Value, name: &str) -> &'a Value {
    let gates = report["verdict"]["gates"].as_array().unwrap();
    gates.iter().find(|gate| gate["name"] == name).unwrap_or_else(|| panic!("no gate {name:?} in {gates:?}"))
}
