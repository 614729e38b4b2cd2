//! How a notice is set.

use std::{collections::BTreeSet, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::NoticeKind;
use crate::selector::MatchExpression;

/// The secret that signs the messages of a notice. It is not printed by `{:?}`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct NoticeSecret(pub String);

impl fmt::Debug for NoticeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a secret)")
    }
}

/// The body of `PUT /v1/notices/{name}`. An unknown field is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NoticeRequest {
    /// Where messages are posted to: `https://HOST[:PORT]/PATH`, at most 2,048 bytes.
    pub url: String,
    /// What the notice is about.
    pub on: BTreeSet<NoticeKind>,
    /// How long a terminal is offline before `terminal.away` tells of it: 1 s to 30 days, 10 min by default.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::DurationText"))]
    #[serde(default = "default_off_for", with = "humantime_serde")]
    pub off_for: Duration,
    /// Which terminals the notice is about, by their ids and labels; all by default.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub expression: Option<MatchExpression>,
    /// The secret, 16 to 128 characters. By default a notice keeps its secret, and a new notice gets one that the node makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<NoticeSecret>,
}

fn default_off_for() -> Duration {
    Duration::from_secs(600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_defaults_and_its_secret_is_not_printed() {
        let text = r#"{"url":"https://h/x","on":["node.lost"],"match":"site = bj","secret":"0123456789abcdef"}"#;
        let request: NoticeRequest = serde_json::from_str(text).unwrap();
        assert_eq!((request.off_for, request.expression.as_ref().unwrap().as_str()), (default_off_for(), "site = bj"));
        assert!(!format!("{request:?}").contains("0123456789abcdef"));
        assert!(serde_json::from_str::<NoticeRequest>(r#"{"url":"https://h/x","on":[],"of_for":"1s"}"#).is_err());
    }
}
