//! Tests of protocols that flags describe.

use super::*;
use crate::{
    adapter::trial::{Trial, identity},
    config::tests::config,
};

fn raw(flags: &str) -> Trial {
    let config = config(&format!("--target raw {flags}"));
    Trial::start(&Raw::new(&config.adapter), None)
}

#[test]
fn a_raw_terminal_is_ready_at_once_and_each_frame_is_a_message() {
    let mut trial = raw("");
    assert_eq!(trial.opened(), ["ready"]);
    assert_eq!(trial.text("M1ab"), ["payload M1ab copy 0"]);
    assert_eq!(trial.binary(b"M1ab"), ["binary payload M1ab copy 0"]);
}

#[test]
fn the_first_messages_the_answers_and_the_pings_are_templates() {
    let mut trial =
        raw("--first-message join:{n} --first-message {id} --answer PING=PONG:{n} --ping 9s --ping-message {seed}");
    assert_eq!(trial.opened(), ["reply join:7", "reply load-7", "ready keepalive 9s 99"]);
    assert_eq!(trial.text("PING"), ["reply PONG:7"]);
    assert_eq!(trial.text("PING "), ["payload PING  copy 0"]);
    assert_eq!(raw("--ping 9s").opened(), ["ready keepalive 9s ping"]);
    assert_eq!(raw("--binary --first-message x").opened(), ["binary reply x", "ready"]);
}

#[test]
fn an_answer_has_what_the_frame_said_and_the_first_pattern_counts() {
    let mut trial = raw(r#"--answer {"ping":*}={"pong":{match},"id":"{id}"} --answer *=other --binary"#);
    assert_eq!(trial.opened(), ["ready"]);
    assert_eq!(trial.text(r#"{"ping":17}"#), [r#"binary reply {"pong":17,"id":"load-7"}"#]);
    assert_eq!(trial.text("M1ab"), ["binary reply other"]);
}

#[test]
fn a_terminal_is_ready_once_the_frame_has_come_and_not_before() {
    let mut trial = raw("--ready-when *welcome* --first-message hello --answer ping=pong --ping 9s");
    assert_eq!(trial.opened(), ["reply hello"]);
    assert_eq!(trial.text("ping"), ["reply pong"]);
    assert_eq!(trial.text("M1ab"), ["payload M1ab copy 0"]);
    assert_eq!(trial.text("welcome 7"), ["ready keepalive 9s ping", "payload welcome 7 copy 0"]);
    assert_eq!(trial.text("welcome 7"), ["payload welcome 7 copy 0"]);
}

#[test]
fn the_message_is_where_the_pointer_says() {
    let mut trial = raw("--payload-at /data/0/text");
    assert_eq!(trial.text(r#"{"data":[{"text":"M1\u0061b"}],"n":1}"#), ["payload M1ab copy 0"]);
    assert_eq!(trial.binary(br#"{"data":[{"text":"M1ab"}]}"#), ["binary payload M1ab copy 0"]);
    for no_message in [r#"{"data":[]}"#, r#"{"data":[{"text":1}]}"#, "hello", ""] {
        assert_eq!(trial.text(no_message), ["greeting"], "{no_message}");
    }
}

#[test]
fn a_plain_terminal_of_muster_says_who_it_is_in_the_query() {
    let config = config("--plain");
    assert_eq!(Raw::of_muster(&config.adapter).open(&identity()).query, "terminal_id=load-7");
    assert_eq!(Raw::new(&config.adapter).open(&identity()).query, "");
}
