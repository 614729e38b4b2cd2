//! Payloads: JSON that Muster carries and never rewrites. A payload is stored as the text that was received, so large
//! numbers and the order of keys do not change, and passing it on costs a copy and not a parse.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One JSON value, as the text that was received.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payload(Box<RawValue>);

impl Payload {
    /// The payload as JSON text.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// A payload that is a JSON string with this content.
    pub fn from_text(text: &str) -> Self {
        Self::from_value(&serde_json::Value::from(text))
    }

    /// A payload with this value.
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self(RawValue::from_string(value.to_string()).expect("a serialized value is JSON"))
    }

    /// What a terminal in plain mode receives: the content of a JSON string, or else the JSON text.
    pub fn plain_text(&self) -> String {
        serde_json::from_str::<String>(self.as_json()).unwrap_or_else(|_| self.as_json().to_owned())
    }
}

impl Default for Payload {
    /// `null`.
    fn default() -> Self {
        Self(RawValue::NULL.to_owned())
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_the_order_of_keys_do_not_change() {
        let json = r#"{"b":1.000000000000000000001,"a":123456789012345678901234567890}"#;
        let payload: Payload = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&payload).unwrap(), json);
    }

    #[test]
    fn plain_text_is_a_strings_content_or_the_json() {
        assert_eq!(Payload::from_text("say \"hi\"\n").plain_text(), "say \"hi\"\n");
        assert_eq!(serde_json::from_str::<Payload>(r#"{"a":1}"#).unwrap().plain_text(), r#"{"a":1}"#);
    }
}
