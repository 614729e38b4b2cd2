//! What the types of the API look like in JSON, where that can't be derived from them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    Payload,
    selector::{EXPRESSION_BYTES_MAX, MatchExpression},
};

/// A time: RFC 3339, in answers in UTC.
pub struct Time;

/// A span of time as people write it, such as `90s` or `1m 30s`.
pub struct DurationText;

/// The two fields of which one has a payload.
pub struct PayloadFields;

macro_rules! inline {
    ($name:ident, $schema:expr) => {
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

inline!(Time, json_schema!({ "type": "string", "format": "date-time" }));

inline!(DurationText, json_schema!({ "type": "string", "examples": ["90s", "2h", "1m 30s"] }));

inline!(Payload, json_schema!(true));

inline!(MatchExpression, json_schema!({ "type": "string", "minLength": 1, "maxLength": EXPRESSION_BYTES_MAX }));

inline!(
    PayloadFields,
    json_schema!({
        "type": "object",
        "properties": {
            "payload": { "description": "Any JSON. Null if left out, unless there is `payload_base64`." },
            "payload_base64": {
                "type": "string",
                "contentEncoding": "base64",
                "description": "Bytes in base64 with padding, in place of `payload`."
            }
        }
    })
);

/// Returns a text of 1 to `max` characters of `alphabet`, which lists them with blanks between: `A-Z 0-9 -`.
pub(crate) fn text(alphabet: &str, max: usize) -> Schema {
    let pattern = format!("^[{}]{{1,{max}}}$", alphabet.replace(' ', ""));
    json_schema!({ "type": "string", "pattern": pattern, "description": format!("1 to {max} characters of {alphabet}") })
}
