//! The files in `protocol/vectors` say what this crate does. Authors of other clients test theirs with the same files.

use std::{collections::BTreeSet, time::Duration};

use muster_protocol::{
    CloseCode, CommandId, NodeId, Payload, TerminalId,
    close::{Advice, RetryHint},
    frame::{FrameError, FromNode, FromTerminal},
    selector::{Labels, check_labels},
    token::{ClaimError, ClaimFault, Jwt, Secret, TokenError, sign},
};
use serde::Deserialize;
use serde_json::Value;

fn vectors(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// A frame's type. The rest may hold numbers that no `Value` can.
#[derive(Deserialize)]
struct Head {
    r#type: String,
}

/// The text as this crate writes it, after reading it.
fn rewritten(from: &str, text: &str) -> Result<String, FrameError> {
    match from {
        "terminal" => FromTerminal::decode(text).map(|frame| frame.to_string()),
        "node" => FromNode::decode(text).map(|frame| frame.to_string()),
        other => panic!("nobody is called {other}"),
    }
}

#[test]
fn frames_are_read_and_written() {
    let vectors = vectors(include_str!("../vectors/frames.json"));
    let mut types = BTreeSet::new();
    for vector in list(&vectors["valid"]) {
        let (from, text) = (vector["from"].as_str().unwrap(), vector["text"].as_str().unwrap());
        let same_as = vector["same_as"].as_str().unwrap_or(text);
        assert_eq!(rewritten(from, text).unwrap(), same_as, "{text}");
        types.insert(serde_json::from_str::<Head>(text).unwrap().r#type);
    }
    let all = [
        "ack", "command", "error", "event", "gap", "goodbye", "health", "hello", "progress", "result", "token",
        "welcome",
    ];
    assert!(types.iter().eq(&all), "{types:?}");
    for vector in list(&vectors["invalid"]) {
        let (from, text) = (vector["from"].as_str().unwrap(), vector["text"].as_str().unwrap());
        let why = match rewritten(from, text).unwrap_err() {
            FrameError::Malformed(_) => "malformed",
            FrameError::UnknownType(_) => "unknown_type",
        };
        assert_eq!(why, vector["why"], "{text}");
    }
}

#[test]
fn closes_say_what_to_do() {
    let vectors = vectors(include_str!("../vectors/close.json"));
    let mut codes = BTreeSet::new();
    for vector in list(&vectors["closes"]) {
        let (code, reason) = (vector["code"].as_u64().unwrap() as u16, vector["reason"].as_str().unwrap());
        let advice = match Advice::of(code) {
            Advice::FollowHint => "follow_hint",
            Advice::Backoff => "backoff",
            Advice::StayAway => "stay_away",
        };
        assert_eq!(advice, vector["advice"], "{vector}");
        assert_eq!(RetryHint::in_reason(reason), vector["retry_ms"].as_u64().map(Duration::from_millis), "{vector}");
        codes.insert(code);
    }
    for code in CloseCode::ALL {
        assert!(codes.contains(&code.number()), "{code:?} is missing");
    }
}

#[test]
fn ids_and_labels_are_checked() {
    let vectors = vectors(include_str!("../vectors/ids.json"));
    let check = |kind: &str, is_valid: fn(&Value) -> bool| {
        for (side, expected) in [("valid", true), ("invalid", false)] {
            for value in list(&vectors[kind][side]) {
                assert_eq!(is_valid(value), expected, "{kind} {value}");
            }
        }
    };
    check("terminal_id", |text| text.as_str().unwrap().parse::<TerminalId>().is_ok());
    check("node_id", |text| text.as_str().unwrap().parse::<NodeId>().is_ok());
    check("command_id", |text| text.as_str().unwrap().parse::<CommandId>().is_ok());
    check("labels", |labels| check_labels(&serde_json::from_value::<Labels>(labels.clone()).unwrap()).is_ok());
}

#[test]
fn a_payload_reads_as_text_in_plain_mode() {
    for vector in list(&vectors(include_str!("../vectors/plain.json"))["payloads"]) {
        let payload: Payload = serde_json::from_str(vector["payload"].as_str().unwrap()).unwrap();
        assert_eq!(payload.plain_text(), vector["text"], "{vector}");
    }
}

#[test]
fn tokens_are_signed_and_read() {
    let vectors = vectors(include_str!("../vectors/tokens.json"));
    let secret: Secret = vectors["secret"].as_str().unwrap().parse().unwrap();
    let now = vectors["now"].as_u64().unwrap();
    let read = |token: &str| Jwt::parse(token)?.verify_with(&secret)?.claims(now);
    for vector in list(&vectors["tokens"]) {
        let error = match read(vector["token"].as_str().unwrap()) {
            Ok(claims) => {
                assert_eq!(Value::from(claims.json().clone()), vector["claims"]);
                assert_eq!(read(&sign(&secret, claims.json())), Ok(claims));
                Value::Null
            }
            Err(TokenError::NoKid) => "no_kid".into(),
            Err(TokenError::WrongAlgorithm) => "wrong_algorithm".into(),
            Err(TokenError::WrongSignature) => "wrong_signature".into(),
            Err(TokenError::NoJwt) => "no_jwt".into(),
            Err(TokenError::NoObject) => "no_object".into(),
            Err(TokenError::Claim(ClaimError { claim: "exp", fault: ClaimFault::Past })) => "expired".into(),
            Err(TokenError::Claim(ClaimError { claim: "exp", fault: ClaimFault::Missing })) => "no_expiry".into(),
            Err(TokenError::Claim(ClaimError { claim: "nbf", fault: ClaimFault::Future })) => "not_yet".into(),
            Err(TokenError::Claim(refusal)) => refusal.claim.into(),
        };
        assert_eq!(error, vector["error"], "{vector}");
    }
}
