//! Payloads: one JSON value, or bytes. Muster carries a payload and never rewrites it: it keeps the text that it
//! received. So large numbers and the order of keys do not change, and to pass a payload on costs a copy and no parse.
//!
//! In JSON a payload stands in one of two fields: `payload` has any JSON, and `payload_base64` has bytes in base64.
//! Each limit counts the JSON, and so the base64 of bytes.

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error, ser::SerializeMap};
use serde_json::value::{RawValue, to_raw_value};

/// One JSON value, as the text that was received, or bytes.
#[derive(Debug, Clone)]
pub struct Payload {
    /// The JSON; for bytes, a JSON string with their base64.
    json: Box<RawValue>,
    is_bytes: bool,
}

impl Payload {
    /// Returns the payload as JSON text; for bytes, a JSON string with their base64.
    pub fn as_json(&self) -> &str {
        self.json.get()
    }

    /// Returns a payload that is a JSON string with this content.
    pub fn from_text(text: &str) -> Self {
        Self::from_json_of(text)
    }

    /// Returns a payload with this value.
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self::from_json_of(value)
    }

    fn from_json_of<T: Serialize + ?Sized>(value: &T) -> Self {
        Self { json: to_raw_value(value).expect("a text and a value have a JSON form"), is_bytes: false }
    }

    /// Returns a payload with these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self { is_bytes: true, ..Self::from_text(&BASE64.encode(bytes)) }
    }

    /// Returns whether the payload is bytes, and not JSON.
    pub fn is_bytes(&self) -> bool {
        self.is_bytes
    }

    /// Returns the bytes. `None` if the payload is JSON.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let base64 = self.is_bytes.then(|| serde_json::from_str::<String>(self.as_json()).ok()).flatten()?;
        BASE64.decode(base64.as_bytes()).ok()
    }

    /// Returns the name of the field that has the payload in JSON.
    pub fn field(&self) -> &'static str {
        if self.is_bytes { "payload_base64" } else { "payload" }
    }

    /// Returns what a terminal in plain mode receives of JSON: the content of a JSON string, or else the JSON text.
    pub fn plain_text(&self) -> String {
        serde_json::from_str::<String>(self.as_json()).unwrap_or_else(|_| self.as_json().to_owned())
    }

    /// Returns the payload as a single text, for a store that has one field for it: the JSON, with `=` before it if the
    /// payload is bytes.
    pub fn to_stored(&self) -> String {
        format!("{}{}", if self.is_bytes { "=" } else { "" }, self.as_json())
    }

    /// Reads a text that [`to_stored`](Self::to_stored) made. `None` if the text can't be read.
    pub fn from_stored(text: &str) -> Option<Self> {
        match text.strip_prefix('=') {
            Some(base64) => serde_json::from_str::<Base64Field>(base64).ok().map(|field| field.0),
            None => serde_json::from_str(text).ok(),
        }
    }
}

impl Default for Payload {
    /// `null`.
    fn default() -> Self {
        Self { json: RawValue::NULL.to_owned(), is_bytes: false }
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.is_bytes == other.is_bytes && self.as_json() == other.as_json()
    }
}

impl Serialize for Payload {
    /// Writes the JSON alone. Where an object may have bytes, [`write_field`] writes its payload.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    /// Reads JSON. An object that may have bytes is read with a type of its own for its fields.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { json: Box::deserialize(deserializer)?, is_bytes: false })
    }
}

/// Writes a payload as the field of the object around it: for `#[serde(flatten, serialize_with = …)]`.
///
/// # Errors
/// Those of the serializer.
pub fn write_field<S: Serializer>(payload: &Payload, serializer: S) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_map(Some(1))?;
    object.serialize_entry(payload.field(), &payload.json)?;
    object.end()
}

/// The field `payload_base64`.
#[derive(Debug)]
pub(crate) struct Base64Field(Payload);

impl<'de> Deserialize<'de> for Base64Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text.as_bytes());
        let bytes = bytes
            .map_err(|error| D::Error::custom(format_args!("payload_base64 is no base64 with padding: {error}")))?;
        Ok(Self(Payload::from_bytes(&bytes)))
    }
}

/// An object has both fields of a payload.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("payload and payload_base64: one of them at most")]
pub(crate) struct TwoPayloads;

/// Returns the payload of an object that had these fields.
pub(crate) fn of_fields(json: Option<Payload>, base64: Option<Base64Field>) -> Result<Payload, TwoPayloads> {
    match (json, base64) {
        (Some(_), Some(_)) => Err(TwoPayloads),
        (_, Some(bytes)) => Ok(bytes.0),
        (json, None) => Ok(json.unwrap_or_default()),
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

    #[test]
    fn bytes_are_none_of_the_json_that_looks_the_same() {
        let bytes: Vec<u8> = (0..=255).collect();
        let payload = Payload::from_bytes(&bytes);
        assert_eq!((payload.bytes(), payload.field()), (Some(bytes), "payload_base64"));
        let same: Payload = serde_json::from_str(payload.as_json()).unwrap();
        assert_eq!((same.bytes(), same.field()), (None, "payload"));
        assert_ne!(payload, same);
        for payload in [payload, same, Payload::from_bytes(&[]), Payload::default(), Payload::from_text("=\"x\"")] {
            assert_eq!(Payload::from_stored(&payload.to_stored()), Some(payload));
        }
        assert_eq!((Payload::from_stored("=\"!\""), Payload::from_stored("x")), (None, None));
    }
}
