//! An output that can't be written is an error before the run. One that fails at the end does not affect the others.

use std::{
    fs::{self, File},
    process::{Command, Output, Stdio},
};

use tempfile::tempdir;

use crate::{
    null_server::{LOADGEN, NullServer},
    report::read,
};

/// A short run.
const QUICK: [&str; 4] = ["--for", "500ms", "--grace", "200ms"];

/// Runs with [`QUICK`] and these flags.
fn run(server: &NullServer, flags: &[&str]) -> Output {
    server.run(&QUICK).args(flags).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_output_that_cannot_be_written_is_told_before_the_run() {
    let folder = tempdir().unwrap();
    let missing = folder.path().join("no-such-folder/report");
    let file = folder.path().join("a-file");
    fs::write(&file, "").unwrap();
    let within_a_file = file.join("logs");
    for (flag, path) in [
        ("--json", missing.to_str().unwrap()),
        ("--html", missing.to_str().unwrap()),
        ("--junit", folder.path().to_str().unwrap()),
        ("--hgrm", within_a_file.to_str().unwrap()),
        ("--logs", within_a_file.to_str().unwrap()),
    ] {
        // Nothing listens there: the run would fail otherwise.
        let run = ["run", "--url", "ws://127.0.0.1:1/", "--api", "http://127.0.0.1:1", flag, path];
        let out = Command::new(LOADGEN).args(run).output().unwrap();
        let told = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{told}");
        assert!(told.contains(&format!("{flag} {path}")), "{told}");
    }
}

#[test]
fn trying_an_output_leaves_no_file_and_changes_none() {
    let folder = tempdir().unwrap();
    let (json, html) = (folder.path().join("report.json"), folder.path().join("report.html"));
    fs::write(&html, "of an earlier run").unwrap();
    let run = ["run", "--url", "ws://127.0.0.1:1/", "--api", "http://127.0.0.1:1", "--json"];
    let out = Command::new(LOADGEN).args(run).arg(&json).arg("--html").arg(&html).output().unwrap();
    assert_eq!(out.status.code(), Some(2), "{}", text(&out.stderr));
    assert!(!json.exists());
    assert_eq!(fs::read_to_string(&html).unwrap(), "of an earlier run");
}

#[test]
fn an_output_on_a_full_disk_costs_no_other() {
    let server = NullServer::start(&[]);
    let folder = tempdir().unwrap();
    let [junit, hgrm, logs] = ["junit.xml", "hgrm", "logs"].map(|name| folder.path().join(name));
    let mut run = server.run(&QUICK);
    // A write to this device fails as on a full disk.
    run.args(["--json", "/dev/full", "--html", "/dev/full", "--junit"]).arg(&junit);
    let out = run.arg("--hgrm").arg(&hgrm).arg("--logs").arg(&logs).output().unwrap();
    let (report, told) = (text(&out.stdout), text(&out.stderr));
    assert_eq!(out.status.code(), Some(15), "{report}{told}");
    assert!(report.contains("PASS"), "{report}");
    assert!(told.contains("--json /dev/full") && told.contains("--html /dev/full"), "{told}");
    for file in [junit, hgrm.join("live.hgrm"), logs.join("terminals.jsonl")] {
        assert!(fs::metadata(&file).is_ok_and(|file| file.len() > 0), "{} is written", file.display());
    }
}

#[test]
fn the_page_is_whole_and_its_texts_are_escaped() {
    let server = NullServer::start(&["--fault", "drop:5"]);
    let folder = tempdir().unwrap();
    let html = folder.path().join("report.html");
    let out = run(&server, &["--title", "a <b>", "--seed", "18446744073709551615", "--html", html.to_str().unwrap()]);
    let page = fs::read_to_string(&html).unwrap_or_else(|error| panic!("{error}: {}", text(&out.stderr)));
    for wanted in ["<title>", "a &lt;b&gt;", "18446744073709551615", "silently lost", "<svg", "</html>"] {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(!page.contains("{{") && !page.contains("{%") && !page.contains("a <b>"));
}

#[test]
fn logs_that_fail_leave_the_report() {
    let server = NullServer::start(&[]);
    let folder = tempdir().unwrap();
    let logs = folder.path().join("logs");
    // The folder is writable, but a file that is to be written in it exists as a folder.
    fs::create_dir_all(logs.join("run.json")).unwrap();
    let out = run(&server, &["--logs", logs.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(15), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("PASS") && text(&out.stderr).contains("--logs"));
}

#[test]
fn a_missed_slo_counts_before_a_missing_output() {
    let server = NullServer::start(&[]);
    let out = run(&server, &["--slo", "accepted>1000000", "--json", "/dev/full"]);
    assert_eq!(out.status.code(), Some(10), "{}", text(&out.stderr));
}

#[test]
fn a_stdout_that_is_gone_costs_no_output() {
    let server = NullServer::start(&[]);
    let folder = tempdir().unwrap();
    let file = folder.path().join("report.json");
    let mut command = server.run(&QUICK);
    let mut run = command.arg("--json").arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(run.stdout.take());
    let out = run.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(15), "{}", text(&out.stderr));
    assert_eq!(read(&file)["verdict"]["outcome"], "pass");
}

#[test]
fn a_stderr_that_nobody_reads_costs_nothing() {
    let server = NullServer::start(&[]);
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let out = server.run(&QUICK).stderr(full()).stdout(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stdout));
}
