//! A run is invalid if the server does not let in some of its terminals, however short the run is.

use crate::{
    null_server::NullServer,
    report::{gate, report_of},
};

/// Runs against a server that refuses or ignores half of 40 terminals, so that this gate fails. Returns the number of
/// stays that failed it, by the field of the report that counts them, and of failed attempts.
fn half(fault: &str, name: &str, field: &str, flags: &[&str]) -> (u64, u64) {
    let server = NullServer::start(&["--fault", fault]);
    let (report, code) = report_of(server.run(flags));
    let gate = gate(&report, name);
    assert_eq!((gate["ok"].as_bool(), code), (Some(false), 12), "{gate}");
    let connections = &report["connections"];
    (connections[field].as_u64().unwrap(), connections["failed"].as_u64().unwrap())
}

/// The stays that were refused, and the failed attempts.
fn refused(flags: &[&str]) -> (u64, u64) {
    half("refuse:2", "terminals never let in", "never", flags)
}

/// The stays that were not answered, and the failed attempts.
fn ignored(flags: &[&str]) -> (u64, u64) {
    half("ignore:2", "terminals never answered", "unanswered", flags)
}

#[test]
fn a_run_in_which_every_second_terminal_is_refused_is_invalid() {
    let (never, failed) = refused(&[]);
    assert!(never == 20 && failed >= 20, "{never} never, {failed} failed");
}

#[test]
fn a_run_in_which_every_second_handshake_is_never_answered_is_invalid() {
    assert_eq!(ignored(&[]), (20, 20));
}

#[test]
fn with_churn_every_stay_that_was_refused_counts() {
    let (never, failed) = refused(&["--churn", "every:500ms", "--away", "200ms"]);
    assert!(never > 40 && failed >= never, "{never} never, {failed} failed");
}

#[test]
fn with_churn_stays_shorter_than_any_limit_count_if_none_was_answered() {
    let (never, _) = ignored(&["--churn", "every:500ms", "--away", "200ms"]);
    assert!(never > 40, "{never} never");
}

#[test]
fn a_shortfall_can_be_allowed_and_still_shows() {
    let server = NullServer::start(&["--fault", "refuse:2"]);
    let (report, code) = report_of(server.run(&["--allow-shortfall"]));
    let gate = gate(&report, "terminals never let in");
    assert_eq!((gate["ok"].as_bool(), gate["found"].as_str(), code), (Some(true), Some("20"), 0), "{gate}");
}
