//! Which tokens let whom in, and what is said of the others.

use std::io::Write;

use clap::Parser;
use data_encoding::BASE64URL_NOPAD;
use muster_protocol::{
    TerminalId,
    api::{Revocation, RevokedTokens},
    token::{KeyLimits, LIMITED_OPERATOR, OPERATOR, OperatorClaims, Scope, Secret, TERMINAL, TerminalClaims, sign},
};
use ring::hmac;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    config: Config,
}

const NEVER: u64 = 4_000_000_000;

fn secret() -> Secret {
    format!("k1={}", "s".repeat(40)).parse().unwrap()
}

fn auth() -> Auth {
    Auth::new(&Cli::parse_from(["node", "--secret", &secret().reveal()]).config).unwrap()
}

fn token(aud: Option<&str>, exp: u64) -> String {
    let claims = TerminalClaims {
        aud: aud.map(Into::into),
        labels: [("site".to_owned(), "bj".to_owned())].into(),
        ..TerminalClaims::new("t1".parse().unwrap(), exp)
    };
    sign(&secret(), &claims)
}

fn key(scope: Scope) -> String {
    sign(&secret(), &OperatorClaims::new("op", NEVER, scope))
}

fn named(id: &str) -> Option<TerminalId> {
    Some(id.parse().unwrap())
}

#[test]
fn a_token_lets_in_its_own_terminal_with_its_labels_until_it_expires() {
    let (auth, t1, t2) = (auth(), named("t1"), named("t2"));
    assert_eq!(auth.terminal(Some(&token(None, NEVER)), t1.clone()).unwrap().labels["site"], "bj");
    assert!(matches!(auth.terminal(Some(&token(None, NEVER)), t2), Err(AuthError::Forbidden(_))));
    assert_eq!(auth.terminal(Some(&token(None, 1)), t1.clone()), Err(ClaimFault::Past.of("exp").into()));
    assert!(matches!(auth.terminal(None, t1), Err(AuthError::Missing(_))));
}

#[test]
fn a_token_alone_names_its_terminal_if_it_is_verified() {
    let verified = auth().terminal(Some(&token(None, NEVER)), None).unwrap();
    assert_eq!((verified.id.as_str(), verified.labels["site"].as_str()), ("t1", "bj"));
    assert_eq!(verified.expires, Some(NEVER));
    assert!(matches!(auth().terminal(None, None), Err(AuthError::Missing(_))));
    let insecure = Auth::new(&Cli::parse_from(["node", "--insecure"]).config).unwrap();
    assert_eq!(insecure.terminal(None, None), Err(AuthError::Unnamed));
    assert_eq!(insecure.terminal(Some(&token(None, NEVER)), None), Err(AuthError::Unnamed));
    assert_eq!(insecure.terminal(None, named("t1")).unwrap().id.as_str(), "t1");
}

/// Whether the token's signature was verified before the second of two calls: both then give out the same mark.
fn is_remembered(auth: &Auth, token: &str) -> bool {
    let [first, second] = [0; 2].map(|_| auth.terminal(Some(token), None).unwrap().token.unwrap());
    Arc::ptr_eq(&first, &second)
}

#[test]
fn a_token_that_was_verified_before_is_checked_for_all_that_may_have_changed() {
    let (auth, good) = (auth(), token(None, NEVER));
    assert!(is_remembered(&auth, &good));
    assert!(matches!(auth.terminal(Some(&good), named("t2")), Err(AuthError::Forbidden(_))));
    for tokens in [
        RevokedTokens { terminal: named("t1"), ..RevokedTokens::default() },
        RevokedTokens { kid: Some("k1".into()), ..RevokedTokens::default() },
    ] {
        let (created_at, expires_at) = (Timestamp::now(), Timestamp::MAX);
        let revocation = Revocation { id: Uuid::nil(), tokens, by: String::new(), created_at, expires_at };
        auth.revocations().replace(vec![revocation]);
        assert_eq!(auth.terminal(Some(&good), None), Err(AuthError::Revoked));
    }
    auth.revocations().replace(Vec::new());
    assert!(auth.terminal(Some(&good), None).is_ok());
    let other = format!("k2={}", "x".repeat(40));
    auth.replace_keys(&Cli::parse_from(["node", "--secret", &other]).config.keys).unwrap();
    assert_eq!(auth.terminal(Some(&good), None), Err(AuthError::UnknownKid));
    let same_name = format!("k1={}", "x".repeat(40));
    auth.replace_keys(&Cli::parse_from(["node", "--secret", &same_name]).config.keys).unwrap();
    assert_eq!(auth.terminal(Some(&good), None), Err(TokenError::WrongSignature.into()));
}

#[test]
fn a_forged_token_is_refused() {
    let (auth, t1) = (auth(), named("t1"));
    let good = token(None, NEVER);
    let [_, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    // {"alg":"none","kid":"k1"}
    let none = format!("eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.{claims}.");
    let cut = &good[..good.len() - signature.len()];
    assert!(is_remembered(&auth, &good));
    for forged in [&none, cut, "x", ""] {
        assert!(matches!(auth.terminal(Some(forged), t1.clone()), Err(AuthError::BadToken(_))), "{forged:?}");
    }
}

/// The key and the token were made with openssl.
#[test]
fn a_public_key_lets_in_terminals_and_no_operators() {
    let mut pem = tempfile::NamedTempFile::new().unwrap();
    let key = "MCowBQYDK2VwAyEA0oSBYDAbKq23yDGdR6QtjUGr6Hw+5xAI/bPLnZ+22t4=";
    writeln!(pem, "-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----").unwrap();
    let flag = format!("e1={}", pem.path().display());
    let auth = Auth::new(&Cli::parse_from(["node", "--public-key", &flag]).config).unwrap();
    let signed = concat!(
        "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6ImUxIn0.",
        "eyJzdWIiOiJ0MSIsImV4cCI6NDAwMDAwMDAwMCwibGFiZWxzIjp7InNpdGUiOiJiaiJ9fQ"
    );
    let signature = "4YdSWKFGOevOS6d9dXUCl2Eg5wD1JDuQ0K6sKZE9gGeQBK5WznzaoqthOaWxQYhvOZdq4S0g7L59dG5J-aBoBw";
    let terminal = named("t1");
    assert_eq!(auth.terminal(Some(&format!("{signed}.{signature}")), terminal.clone()).unwrap().labels["site"], "bj");
    let other = format!("{signed}.5{}", &signature[1..]);
    assert_eq!(auth.terminal(Some(&other), terminal), Err(TokenError::WrongSignature.into()));
    assert!(auth.operator(Some(&format!("{signed}.{signature}"))).is_err());
    for (flags, claim) in [(["--audience", "muster.example"], "aud"), (["--issuer", "https://a"], "iss")] {
        let strict = Cli::parse_from(["node", "--public-key", &flag].iter().chain(&flags));
        let told = Auth::new(&strict.config).unwrap().terminal(Some(&format!("{signed}.{signature}")), named("t1"));
        assert_eq!(told, Err(ClaimFault::Missing.of(claim).into()));
    }
}

#[test]
fn keys_and_tokens_do_not_stand_in_for_each_other_and_scopes_hold() {
    let (auth, t1) = (auth(), named("t1"));
    assert!(auth.terminal(Some(&key(Scope::Admin)), t1).is_err());
    assert!(auth.operator(Some(&token(None, NEVER))).is_err());
    assert!(auth.operator(Some(&token(Some(OPERATOR), NEVER))).is_err());
    let op = auth.operator(Some(&key(Scope::Command))).unwrap();
    assert_eq!((op.name.as_str(), op.expires, op.scope), ("op", Some(NEVER), Scope::Command));
    assert!(op.check_scope(Scope::Read).is_ok());
    assert!(matches!(op.check_scope(Scope::Admin), Err(AuthError::Forbidden(_))));
}

#[test]
fn the_limits_of_a_key_are_read_and_no_terminal_comes_in_with_it() {
    let auth = auth();
    let limits = KeyLimits { labels: [("shop".to_owned(), "7".to_owned())].into(), commands: ["show".into()].into() };
    let claims = OperatorClaims::new("t1", NEVER, Scope::Command).limited_to(limits.clone());
    assert_eq!(claims.aud, LIMITED_OPERATOR);
    let limited = sign(&secret(), &claims);
    assert_eq!(auth.operator(Some(&limited)).unwrap().limits, limits);
    let told = auth.terminal(Some(&limited), named("t1")).unwrap_err().to_string();
    assert!(told.contains("is an operator's"), "{told}");
    for (claim, value) in [("labels", json!(["shop"])), ("commands", json!([7])), ("commands", json!([""]))] {
        let mut broken = serde_json::to_value(&claims).unwrap();
        broken[claim] = value;
        let told = auth.operator(Some(&sign(&secret(), &broken))).unwrap_err().to_string();
        assert!(told.contains(&format!("its claim {claim}")), "{told}");
    }
}

/// The refusal of a token of `t1` with these claims, or none.
fn refusal(auth: &Auth, claims: Value) -> String {
    let token = sign(&secret(), &claims);
    auth.terminal(Some(&token), named("t1")).map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn each_claim_that_keeps_a_terminal_out_is_named() {
    let now = Timestamp::now().as_second();
    for (claims, says) in [
        (json!({ "sub": "t1", "exp": NEVER }), ""),
        (json!({ "sub": "t1", "exp": 4.1e9, "nbf": now as f64 + 30.5 }), ""),
        (json!({ "sub": "t1", "exp": NEVER, "aud": ["x", TERMINAL] }), ""),
        (json!({ "sub": "t1", "exp": NEVER, "iss": "https://any.example" }), ""),
        (json!({ "sub": "t1", "exp": NEVER, "nbf": now + 3600 }), "its claim nbf is in the future"),
        (json!({ "sub": "t1", "exp": now - 2 }), "its claim exp is past"),
        (json!({ "sub": "t1", "exp": "never" }), "its claim exp must be a number"),
        (json!({ "sub": "t1" }), "its claim exp is missing"),
        (json!({ "exp": NEVER }), "its claim sub is missing"),
        (json!({ "sub": "t 1", "exp": NEVER }), "its claim sub is no terminal's id"),
        (json!({ "sub": "t1", "exp": NEVER, "aud": "x" }), "its claim aud has neither muster-terminal"),
        (json!({ "sub": "t1", "exp": NEVER, "aud": [] }), "its claim aud has neither muster-terminal"),
        (json!({ "sub": "t1", "exp": NEVER, "aud": [TERMINAL, OPERATOR] }), "its claim aud is an operator's"),
        (
            json!({ "sub": "t1", "exp": NEVER, "labels": { "a": "b,c" } }),
            "its claim labels is refused: labels: a key or a value has a comma",
        ),
        (json!({ "sub": "t1", "exp": NEVER, "labels": { "a": "" } }), "a key or a value is empty"),
    ] {
        let told = refusal(&auth(), claims.clone());
        assert!(told.contains(says) && told.is_empty() == says.is_empty(), "{claims}: {told}");
    }
}

#[test]
fn a_kid_may_be_missing_if_exactly_one_key_has_the_algorithm() {
    let kidless = |token: &str| {
        let [_, claims, _] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
        let signed = format!("{}.{claims}", BASE64URL_NOPAD.encode(br#"{"alg":"HS256"}"#));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret().as_bytes());
        format!("{signed}.{}", BASE64URL_NOPAD.encode(hmac::sign(&key, signed.as_bytes()).as_ref()))
    };
    let token = kidless(&token(None, NEVER));
    assert!(auth().terminal(Some(&token), named("t1")).is_ok());
    assert!(auth().operator(Some(&kidless(&key(Scope::Read)))).is_ok());
    let two = format!("{},k2={}", secret().reveal(), "x".repeat(40));
    let two = Auth::new(&Cli::parse_from(["node", "--secret", &two]).config).unwrap();
    assert_eq!(two.terminal(Some(&token), named("t1")), Err(TokenError::NoKid.into()));
}

#[test]
fn a_token_of_this_cluster_needs_no_issuer_and_has_no_foreign_one() {
    let config =
        Cli::parse_from(["node", "--secret", &secret().reveal(), "--issuer", "https://a,b", "--audience", "x"]);
    let auth = Auth::new(&config.config).unwrap();
    let told = |more: Value| {
        let mut claims = json!({ "sub": "t1", "exp": NEVER });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        refusal(&auth, claims)
    };
    for good in
        [json!({}), json!({ "iss": "b" }), json!({ "iss": "https://a", "aud": "x" }), json!({ "aud": TERMINAL })]
    {
        assert_eq!(told(good), "");
    }
    assert!(told(json!({ "iss": "c" })).contains("its claim iss is none of those"));
    assert!(told(json!({ "iss": 1 })).contains("its claim iss must be a text"));
    assert!(told(json!({ "aud": "y" })).contains("its claim aud has neither"));
}
