//! The document of the API, OpenAPI 3.1: made from the [routes](super::routes) and the types of the API.

mod operation;
mod schemas;

use muster_protocol::api::Problem;
use serde_json::{Map, Value, json};

use self::{
    operation::{HEAD_TOO_LARGE, REFUSALS, refusal_name},
    schemas::Schemas,
};
use super::routes::{self, content::of};

/// The document.
pub fn document() -> Value {
    let mut schemas = Schemas::of(routes::all());
    let mut paths = Map::new();
    // What `*` stands for are the pages of the console, which are no calls.
    for route in routes::all().filter(|route| !route.path.ends_with('*')) {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation::of(route, &mut schemas);
    }
    let responses: Map<_, _> =
        REFUSALS.iter().map(|status| (refusal_name(*status), refusal(*status, &mut schemas))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Muster",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT", "identifier": "MIT" },
            "description": "The HTTP API of a node. Any node answers any call. The WebSocket of terminals is not part of it.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.into_components(),
            "responses": responses,
            "securitySchemes": { "key": {
                "type": "http",
                "scheme": "bearer",
                "description": "An operator's key, or a token of `POST /v1/session`. A call names the scope that it needs. A node with \
                                --insecure asks for none.",
            } },
        },
    })
}

/// A refusal, which has the same form for every call.
fn refusal(status: u16, schemas: &mut Schemas) -> Value {
    if status == HEAD_TOO_LARGE {
        return json!({ "description": operation::reason(status) });
    }
    json!({
        "description": operation::reason(status),
        "content": { "application/problem+json": { "schema": schemas.answered(of::<Problem>) } },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Each object within a value.
    fn objects(value: &Value) -> Vec<&Map<String, Value>> {
        let within: Vec<_> = match value {
            Value::Object(object) => object.values().collect(),
            Value::Array(list) => list.iter().collect(),
            _ => Vec::new(),
        };
        value.as_object().into_iter().chain(within.into_iter().flat_map(objects)).collect()
    }

    #[test]
    fn whatever_the_document_refers_to_is_in_it() {
        let document = document();
        let referred: BTreeSet<_> =
            objects(&document).iter().filter_map(|object| object.get("$ref")?.as_str()).collect();
        assert!(referred.len() > 30, "{referred:?}");
        for reference in referred {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn each_schema_is_referred_to_and_says_what_it_is_in_plain_words() {
        let document = document();
        let text = document.to_string();
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "{name}");
            assert!(schema["description"].is_string(), "{name}");
        }
        assert!(!text.contains("](") && !text.contains("[`"), "a link of rustdoc");
    }

    #[test]
    fn what_is_asked_has_defaults_and_what_is_answered_is_whole() {
        let document = document();
        let schema = |name: &str| &document["components"]["schemas"][name];
        let required = |name: &str| schema(name)["required"].as_array().unwrap().len();
        assert_eq!(schema("CommandRequest")["required"], json!(["target", "name"]));
        assert_eq!(schema("CommandRequest")["properties"]["expires_in"]["default"], "1m");
        assert_eq!((required("RolloutRequestInput"), required("RolloutRequest")), (3, 5));
        // What is left out is never null, and what may be null is never left out.
        assert_eq!(schema("TerminalView")["properties"]["rtt_ms"]["type"], json!(["integer", "null"]));
        assert_eq!(schema("TerminalView")["properties"]["last_close"]["$ref"], "#/components/schemas/LastClose");
    }
}
