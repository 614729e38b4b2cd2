//! A run that is held against earlier ones.

use crate::{
    null_server::NullServer,
    report::{read, report_of},
};

const QUICK: [&str; 4] = ["--for", "500ms", "--grace", "200ms"];

#[test]
fn a_run_that_is_worse_than_three_earlier_ones_is_a_regression() {
    let folder = tempfile::tempdir().unwrap();
    let server = NullServer::start(&[]);
    let files = [1, 2, 3].map(|number| folder.path().join(format!("{number}.json")).display().to_string());
    for file in &files {
        assert!(server.run(&QUICK).args(["--json", file]).output().unwrap().status.success());
        assert_eq!(read(file.as_ref())["verdict"]["outcome"], "pass");
    }
    let refusing = NullServer::start(&["--fault", "refuse:2"]);
    let mut command = refusing.run(&QUICK);
    command.args(["--allow-shortfall", "--baseline", &files.join(",")]);
    let (report, code) = report_of(command);
    let regressions = report["verdict"]["regressions"].as_array().unwrap();
    assert_eq!((code, &report["verdict"]["outcome"]), (14, &"regression".into()), "{regressions:?}");
    assert!(regressions.iter().any(|text| text.as_str().unwrap().starts_with("attempts failed 2")), "{regressions:?}");

    let told = server.run(&QUICK).args(["--baseline", &files[0]]).output().unwrap();
    assert_eq!(told.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&told.stderr).contains("--baseline needs the reports of 3 or more runs"));
}
