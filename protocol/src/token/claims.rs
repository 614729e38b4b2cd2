//! The claims of a token. They are read one by one, so that a refusal names the claim and what is wrong with it.

use serde_json::{Map, Value};

use super::{InvalidLimits, KeyLimits, Scope, TokenError};
use crate::{
    TerminalId,
    selector::{InvalidLabels, Labels, SayableKeys, check_labels},
};

/// How long before its `nbf` a token is accepted, in seconds: an issuer's clock may be ahead of a node's. `exp` has no
/// leeway.
pub const NBF_LEEWAY: u64 = 60;
/// The longest `jti` and `iss`, in bytes: a node holds both with each session, and looks them up.
const TEXT_MAX: usize = 512;

/// A claim for which a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its claim {claim} {fault}")]
pub struct ClaimError {
    /// The name of the claim.
    pub claim: &'static str,
    /// What is wrong with the claim.
    pub fault: ClaimFault,
}

/// What can be wrong with a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimFault {
    /// The claim must be there.
    #[error("is missing")]
    Missing,
    /// The claim is a time, and no JSON number.
    #[error("must be a number: seconds since 1970")]
    NotTime,
    /// The claim is a duration, and no JSON number of 1 or more.
    #[error("must be a number of seconds, at least 1")]
    NotSeconds,
    /// The claim is no JSON string.
    #[error("must be a text")]
    NotText,
    /// The claim is neither a string nor an array of strings.
    #[error("must be a text or a list of texts")]
    NotTexts,
    /// The text is too long. Holds the bound in bytes.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// The text is no terminal's id.
    #[error("is no terminal's id: 1 to 128 characters of A-Z a-z 0-9 . _ : -")]
    NotTerminal,
    /// The text is no scope.
    #[error("must be read, command or admin")]
    NotScope,
    /// The labels are no object of strings.
    #[error("must be an object whose values are texts")]
    NotLabels,
    /// The labels break a limit.
    #[error("is refused: {0}")]
    Labels(InvalidLabels),
    /// The limits of a key break a bound.
    #[error("is refused: {0}")]
    Limits(InvalidLimits),
    /// The time at which the token ends is past.
    #[error("is past: the token has expired")]
    Past,
    /// The token is not valid yet.
    #[error("is in the future: the token is not valid yet")]
    Future,
    /// The value is valid, but not what is asked for here.
    #[error("{0}")]
    Other(&'static str),
}

impl ClaimFault {
    /// Returns this fault of the claim with this name.
    pub fn of(self, claim: &'static str) -> ClaimError {
        ClaimError { claim, fault: self }
    }
}

/// The claims of a token that is valid now: `exp` and `nbf` were checked. Every other claim is checked when it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    all: Map<String, Value>,
    expires: u64,
}

impl Claims {
    /// Reads claims at the time `now`, in seconds since 1970.
    ///
    /// # Errors
    /// [`TokenError::NoObject`] if the text is no JSON object. [`TokenError::Claim`] if `exp` is missing or past, if
    /// `nbf` is further ahead than [`NBF_LEEWAY`], or if one of the two is no number.
    pub fn read(json: &[u8], now: u64) -> Result<Self, TokenError> {
        let all = serde_json::from_slice(json).map_err(|_| TokenError::NoObject)?;
        let mut claims = Self { all, expires: 0 };
        claims.expires = claims.time("exp")?.ok_or(ClaimFault::Missing.of("exp"))?;
        if claims.expires < now {
            return Err(ClaimFault::Past.of("exp").into());
        }
        match claims.time("nbf")? {
            Some(begins) if begins > now.saturating_add(NBF_LEEWAY) => Err(ClaimFault::Future.of("nbf").into()),
            _ => Ok(claims),
        }
    }

    /// Returns all claims, as they are in the token.
    pub fn json(&self) -> &Map<String, Value> {
        &self.all
    }

    /// Returns `exp`: the last second in which the token is valid, since 1970.
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// Returns `iat`: when the token was made, in seconds since 1970. `None` if the token does not say.
    pub fn issued_at(&self) -> Result<Option<u64>, ClaimError> {
        self.time("iat")
    }

    /// Returns `iss`: who made the token. `None` if the token does not say.
    pub fn issuer(&self) -> Result<Option<&str>, ClaimError> {
        self.text("iss", TEXT_MAX)
    }

    /// Returns `jti`: the token's own id. `None` if it has none.
    pub fn token_id(&self) -> Result<Option<&str>, ClaimError> {
        self.text("jti", TEXT_MAX)
    }

    /// Returns `renew`: how long a node makes the token valid for which this one is traded, in seconds. `None` if this
    /// token can't be renewed.
    pub fn renew(&self) -> Result<Option<u64>, ClaimError> {
        match self.get("renew").map(Value::as_u64) {
            None => Ok(None),
            Some(Some(seconds @ 1..)) => Ok(Some(seconds)),
            Some(_) => Err(ClaimFault::NotSeconds.of("renew")),
        }
    }

    /// Returns `renew_until`: the last second, since 1970, in which any token is valid that comes of this one by
    /// renewal. `None` if there is no such bound.
    pub fn renew_until(&self) -> Result<Option<u64>, ClaimError> {
        self.time("renew_until")
    }

    /// Returns `key_exp` of an operator's session: the last second, since 1970, in which its key is valid. `None` for a
    /// key itself.
    pub fn key_expires(&self) -> Result<Option<u64>, ClaimError> {
        self.time("key_exp")
    }

    /// Returns `origin`: the id of the first token, from which this one came by renewal. `None` if there is no such
    /// claim.
    pub fn origin(&self) -> Result<Option<&str>, ClaimError> {
        self.text("origin", TEXT_MAX)
    }

    /// Returns `origin_iat`: when the first token was made, in seconds since 1970; 0 if that token did not say. `None`
    /// if there is no such claim.
    pub fn origin_issued_at(&self) -> Result<Option<u64>, ClaimError> {
        self.time("origin_iat")
    }

    /// Returns `sub`: whom the token is for.
    pub fn subject(&self) -> Result<&str, ClaimError> {
        self.text("sub", usize::MAX)?.ok_or(ClaimFault::Missing.of("sub"))
    }

    /// Returns `sub` as the id of a terminal.
    pub fn terminal(&self) -> Result<TerminalId, ClaimError> {
        self.subject()?.parse().map_err(|_| ClaimFault::NotTerminal.of("sub"))
    }

    /// Returns `aud`: what the token is for, as a list also if it is one text. `None` if there is no such claim.
    pub fn audience(&self) -> Result<Option<Vec<&str>>, ClaimError> {
        self.texts("aud")
    }

    /// Returns `say`: the keys of labels that the terminal may say without a prefix. No keys if there is no such claim.
    pub fn sayable_keys(&self) -> Result<SayableKeys, ClaimError> {
        let keys = self.texts("say")?.unwrap_or_default();
        Ok(SayableKeys::Listed(keys.into_iter().map(str::to_owned).collect()))
    }

    /// Returns a text or a list of texts. `None` if there is no such claim.
    fn texts(&self, claim: &'static str) -> Result<Option<Vec<&str>>, ClaimError> {
        let texts = match self.get(claim) {
            None => return Ok(None),
            Some(Value::String(text)) => Some(vec![text.as_str()]),
            Some(Value::Array(list)) => list.iter().map(Value::as_str).collect(),
            Some(_) => None,
        };
        texts.map(Some).ok_or(ClaimFault::NotTexts.of(claim))
    }

    /// Returns `labels`: the labels of a terminal. No labels if there is no such claim.
    pub fn labels(&self) -> Result<Labels, ClaimError> {
        let labels = match self.get("labels") {
            None => return Ok(Labels::new()),
            Some(Value::Object(labels)) => labels,
            Some(_) => return Err(ClaimFault::NotLabels.of("labels")),
        };
        let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        let labels: Option<Labels> = labels.iter().map(text).collect();
        let labels = labels.ok_or(ClaimFault::NotLabels.of("labels"))?;
        check_labels(&labels).map_err(|error| ClaimFault::Labels(error).of("labels"))?;
        Ok(labels)
    }

    /// Returns `scope`: what an operator's key allows.
    pub fn scope(&self) -> Result<Scope, ClaimError> {
        let scope = self.text("scope", usize::MAX)?.ok_or(ClaimFault::Missing.of("scope"))?;
        scope.parse().map_err(|_| ClaimFault::NotScope.of("scope"))
    }

    /// Returns `labels` and `commands`: what an operator's key is limited to. No limits if there are no such claims.
    pub fn limits(&self) -> Result<KeyLimits, ClaimError> {
        let names = self.texts("commands")?.unwrap_or_default();
        let limits = KeyLimits { labels: self.labels()?, commands: names.into_iter().map(str::to_owned).collect() };
        limits.check().map_err(|error| ClaimFault::Limits(error).of("commands"))?;
        Ok(limits)
    }

    /// Returns a time in seconds since 1970, without the fraction of a second. A time before 1970 counts as 1970.
    pub(super) fn time(&self, claim: &'static str) -> Result<Option<u64>, ClaimError> {
        let Some(value) = self.get(claim) else { return Ok(None) };
        let seconds = value.as_u64().or_else(|| value.as_f64().map(|seconds| seconds as u64));
        seconds.map(Some).ok_or(ClaimFault::NotTime.of(claim))
    }

    fn text(&self, claim: &'static str, max: usize) -> Result<Option<&str>, ClaimError> {
        match self.get(claim) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= max => Ok(Some(text)),
            Some(Value::String(_)) => Err(ClaimFault::TooLong(max).of(claim)),
            Some(_) => Err(ClaimFault::NotText.of(claim)),
        }
    }

    /// Returns a claim. A claim that is null counts as absent.
    fn get(&self, claim: &str) -> Option<&Value> {
        self.all.get(claim).filter(|value| !value.is_null())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(claims: &Value, now: u64) -> Result<Claims, TokenError> {
        Claims::read(claims.to_string().as_bytes(), now)
    }

    #[test]
    fn a_time_is_a_number_with_or_without_a_fraction_or_an_exponent() {
        for (claims, now, expected) in [
            (json!({ "exp": 100 }), 100, Ok(100)),
            (json!({ "exp": 100 }), 101, Err(ClaimFault::Past.of("exp"))),
            (json!({ "exp": 100.75 }), 100, Ok(100)),
            (json!({ "exp": 100.75 }), 101, Err(ClaimFault::Past.of("exp"))),
            (json!({ "exp": 1.7e9 }), 1_700_000_000, Ok(1_700_000_000)),
            (json!({ "exp": 1e300 }), 100, Ok(u64::MAX)),
            (json!({ "exp": -1 }), 100, Err(ClaimFault::Past.of("exp"))),
            (json!({ "exp": "100" }), 1, Err(ClaimFault::NotTime.of("exp"))),
            (json!({ "exp": true }), 1, Err(ClaimFault::NotTime.of("exp"))),
            (json!({ "exp": null }), 1, Err(ClaimFault::Missing.of("exp"))),
            (json!({}), 1, Err(ClaimFault::Missing.of("exp"))),
            (json!({ "exp": 900, "nbf": 160 }), 100, Ok(900)),
            (json!({ "exp": 900, "nbf": 160.9 }), 100, Ok(900)),
            (json!({ "exp": 900, "nbf": 161 }), 100, Err(ClaimFault::Future.of("nbf"))),
            (json!({ "exp": 900, "nbf": 1.61e2 }), 100, Err(ClaimFault::Future.of("nbf"))),
            (json!({ "exp": 900, "nbf": "1" }), 100, Err(ClaimFault::NotTime.of("nbf"))),
            (json!({ "exp": 900, "nbf": 1 }), u64::MAX, Err(ClaimFault::Past.of("exp"))),
        ] {
            assert_eq!(
                read(&claims, now).map(|claims| claims.expires()),
                expected.map_err(Into::into),
                "{claims} {now}"
            );
        }
        for text in ["[]", "1", "null", "", "{", "{\"exp\":1e999}"] {
            assert_eq!(Claims::read(text.as_bytes(), 0), Err(TokenError::NoObject), "{text}");
        }
    }

    #[test]
    fn each_claim_is_refused_with_a_word_of_its_own() {
        let with = |claim: &str, value: Value| read(&json!({ "exp": 9, claim: value }), 0).unwrap();
        let labels = |labels: Value| with("labels", labels).labels().unwrap_err().to_string();
        let many: Map<_, _> = (0..33).map(|n| (n.to_string(), json!("x"))).collect();
        for (refusal, says) in [
            (with("sub", json!(5)).terminal().unwrap_err().to_string(), "sub must be a text"),
            (with("sub", json!("a b")).terminal().unwrap_err().to_string(), "sub is no terminal's id"),
            (with("x", json!(5)).terminal().unwrap_err().to_string(), "sub is missing"),
            (with("aud", json!({})).audience().unwrap_err().to_string(), "aud must be a text or a list"),
            (with("aud", json!(["a", 1])).audience().unwrap_err().to_string(), "aud must be a text or a list"),
            (with("iss", json!([])).issuer().unwrap_err().to_string(), "iss must be a text"),
            (with("jti", json!("x".repeat(513))).token_id().unwrap_err().to_string(), "jti is longer than 512"),
            (with("iat", json!("x")).issued_at().unwrap_err().to_string(), "iat must be a number"),
            (with("scope", json!("root")).scope().unwrap_err().to_string(), "scope must be read, command or admin"),
            (with("x", json!(1)).scope().unwrap_err().to_string(), "scope is missing"),
            (labels(json!(["a"])), "labels must be an object"),
            (labels(json!({ "a": 1 })), "labels must be an object"),
            (labels(json!({ "a": "x,y" })), "comma"),
            (labels(json!({ "a": "" })), "empty"),
            (labels(json!({ "": "x" })), "empty"),
            (labels(json!({ "a": "x".repeat(65) })), "longer than 64"),
            (labels(json!({ "a": "x\ny" })), "control character"),
            (labels(json!({ "a=b": "x" })), "="),
            (labels(Value::Object(many)), "more than 32"),
        ] {
            assert!(refusal.contains(says), "{refusal:?} does not say {says:?}");
        }
        assert_eq!(with("aud", json!(["a", "b"])).audience(), Ok(Some(vec!["a", "b"])));
        assert_eq!(with("aud", json!("a")).audience(), Ok(Some(vec!["a"])));
        assert_eq!(
            (with("aud", Value::Null).audience(), with("jti", json!("j")).token_id()),
            (Ok(None), Ok(Some("j")))
        );
    }

    const CLAIMS: [&str; 10] = ["exp", "nbf", "iat", "iss", "sub", "aud", "jti", "labels", "scope", "other"];

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            Just(json!("read")),
            ".{0,80}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(".{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_claims_come_a_refusal_names_one(
            claims in prop::collection::hash_map(prop::sample::select(&CLAIMS[..]), value(), 0..10),
            now in any::<u64>(),
        ) {
            let claims: Map<_, _> = claims.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let read = match read(&Value::Object(claims), now) {
                Ok(claims) => claims,
                Err(refusal) => {
                    prop_assert!(matches!(refusal, TokenError::Claim(_)), "{refusal}");
                    return Ok(());
                }
            };
            let refusals = [
                read.issued_at().err(), read.issuer().err(), read.token_id().err(), read.terminal().err(),
                read.audience().err(), read.labels().err(), read.scope().err(),
            ];
            for refusal in refusals.into_iter().flatten() {
                prop_assert!(CLAIMS.contains(&refusal.claim));
                prop_assert!(refusal.to_string().contains(refusal.claim));
            }
        }
    }
}
