//! Cards.

use std::{fs, path::Path, process::Command};

use crate::{null_server::LOADGEN, report::read};

fn card(folder: &Path, target: &Path, flags: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(LOADGEN);
    command.args(["card", "--small", "--seed", "7", "--target"]).arg(target).args(flags);
    command.arg("--out").arg(folder).arg("--work").arg(folder.join("work"));
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_card_says_what_was_delivered_and_costs_of_the_floor_are_about_the_floor() {
    let folder = tempfile::tempdir().unwrap();
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/floor.toml");
    let (code, said) = card(folder.path(), &target, &["--scenarios", "steady"]);
    assert_eq!(code, Some(0), "{said}");
    let card = read(&folder.path().join("floor.json"));
    let scenario = &card["scenarios"][0];
    let repeat = &scenario["repeats"][0];
    assert_eq!((&card["schema"], &scenario["verdict"]), (&"muster.card/1".into(), &"delivered".into()), "{card}");
    assert_eq!((&repeat["seed"], &repeat["terminals"]), (&7.into(), &50.into()));
    assert_eq!(repeat["deliveries"]["owed"], 50 * 30);
    assert!(repeat["cpu_ratio"].as_f64().is_some_and(|ratio| ratio > 0.0), "{repeat}");
    assert_eq!(card["scenarios"].as_array().unwrap().len(), 1);
    let page = fs::read_to_string(folder.path().join("floor.md")).unwrap();
    assert!(page.contains("| Steady broadcast | delivered |") && page.contains("not to be compared"), "{page}");
}

#[test]
fn a_server_that_does_not_start_is_told_with_the_end_of_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("broken.toml");
    let commands = "install = ''\nversion = 'echo 1'\nstart = 'echo no licence; exit 1'\n";
    let text = format!("title = 'B'\npromise = 'none'\n{commands}[run]\nurl = 'ws://127.0.0.1:{{port}}/'\n");
    fs::write(&target, &text).unwrap();
    let (code, said) = card(folder.path(), &target, &["--scenarios", "steady"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("broken does not start") && said.contains("no licence"), "{said}");
    fs::write(&target, text.replace("promise", "promises")).unwrap();
    let (code, said) = card(folder.path(), &target, &[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("broken.toml") && said.contains("promises"), "{said}");
}
