//! What is done to the server during a run: commands and attacks.

use serde_json::Value;

use crate::{null_server::NullServer, report::report_of};

fn marks(report: &Value) -> Vec<String> {
    let marks = report["marks"].as_array().unwrap();
    let mut texts: Vec<_> = marks.iter().map(|mark| mark["text"].as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts
}

#[test]
fn commands_and_attacks_are_marks_and_the_terminals_have_all_that_is_owed() {
    let server = NullServer::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("touched");
    let (post, touch) = (format!("http://{}/", server.address), format!("500ms touch {}", file.display()));
    let mut flags = vec!["--post", &post, "--at", &touch];
    let ways = ["flood", "half-open", "reset", "silent", "stop-reading", "storm"];
    let attacks = ways.map(|way| format!("{way}=2@100ms"));
    attacks.iter().for_each(|attack| flags.extend(["--attack", attack]));
    let (report, code) = report_of(server.raw(&flags));
    assert_eq!(code, 0, "{}", report["verdict"]);
    assert!(file.exists());
    let mut expected = ways.map(|way| format!("attack {way} x 2")).to_vec();
    expected.push(format!("touch {}", file.display()));
    assert_eq!(marks(&report), expected);
    assert_eq!(report["ledger"]["steady"]["on_time"], 40 * 40);
}

#[test]
fn a_command_that_fails_makes_the_run_invalid() {
    let server = NullServer::start(&[]);
    let post = format!("http://{}/", server.address);
    let (report, code) = report_of(server.raw(&["--post", &post, "--at", "100ms exit 3", "--for", "500ms"]));
    assert_eq!((code, marks(&report)), (12, vec!["exit 3".into(), "exit 3: exit status: 3".into()]));
}
