//! The Rust client keeps every rule that the kit tries, and the kit names a rule that is broken.

use std::{
    process::{Command, Output},
    sync::Mutex,
    thread,
};

use serde_json::Value;

/// The rules that the kit does not try.
const UNTRIED: [&str; 3] = ["R4", "R13", "R31"];

/// How many of them are tried at once: a client that comes back too early must not be slowed down by the others.
const AT_ONCE: usize = 4;

/// How often a break is looked for.
const TRIES: usize = 4;

fn kit(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kit")).args(words).output().unwrap()
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn rules(report: &Value, verdict: &str) -> Vec<String> {
    let rules = report["rules"].as_array().unwrap().iter().filter(|rule| rule["verdict"] == *verdict);
    rules.map(|rule| rule["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_rust_client_keeps_every_rule_that_is_tried() {
    let output = kit(&["run", "--json", "--", env!("CARGO_BIN_EXE_kit-terminal")]);
    let report = report(&output);
    assert_eq!(rules(&report, "broken"), Vec::<String>::new(), "{report:#}");
    assert_eq!(rules(&report, "not_tried"), UNTRIED);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_rule_that_is_broken_on_purpose_is_named() {
    let tried = (1..=37).map(|number| format!("R{number}")).filter(|rule| !UNTRIED.contains(&rule.as_str()));
    let rules = Mutex::new(tried);
    let next = || rules.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(rule) = next() {
                    assert_named(&rule);
                }
            });
        }
    });
}

/// Runs the scenarios of a rule on a program that breaks it. On a busy machine a client that comes back too early may be late: it is tried
/// again.
fn assert_named(rule: &str) {
    let terminal = env!("CARGO_BIN_EXE_kit-terminal");
    let try_it = || kit(&["run", "--json", "--again", "0", "--rule", rule, "--", terminal, "--break", rule]);
    let is_named = |output: &Output| rules(&report(output), "broken").iter().any(|broken| broken == rule);
    let output = (0..TRIES).map(|_| try_it()).find(is_named);
    let output = output.unwrap_or_else(|| panic!("{rule} is not named: {:#}", report(&try_it())));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_can_not_be_tried_is_no_verdict() {
    let output = kit(&["run", "--", "/nonexistent/program"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nonexistent/program"));
    assert_eq!(kit(&["run", "--rule", "R99", "--", "true"]).status.code(), Some(2));
}
