//! A route as an operation of the document.

use std::collections::BTreeSet;

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::schemas::Schemas;
use crate::http::routes::{
    Route,
    content::AnswerContent,
    parameter::{Parameter, ParameterValues},
};

/// The statuses of all refusals.
pub const REFUSALS: [u16; 13] = [400, 401, 403, 404, 408, 409, 413, 422, 429, HEAD_TOO_LARGE, 501, 503, 504];
/// The status of a request whose head is not read to its end. Its answer has no body.
pub const HEAD_TOO_LARGE: u16 = 431;

/// The operation.
pub fn of(route: &Route, schemas: &mut Schemas) -> Value {
    let mut operation = json!({
        "operationId": name(route),
        "summary": route.about,
        "tags": [tag(route)],
        "security": security(route),
        "parameters": parameters(route, schemas),
        "responses": responses(route, schemas),
    });
    if let Some(body) = route.body {
        let content = json!({ "application/json": { "schema": schemas.asked(body) } });
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

/// The name of the operation: the method and the path, such as `get_commands_id_targets`.
fn name(route: &Route) -> String {
    let words = route.path.split(['/', '{', '}', '.']).filter(|word| !word.is_empty() && *word != "v1");
    let path = words.collect::<Vec<_>>().join("_");
    format!("{}_{}", route.method.to_ascii_lowercase(), if path.is_empty() { "root" } else { &path })
}

fn tag(route: &Route) -> &'static str {
    if route.is_api() { route.path.split('/').nth(2).unwrap_or_default() } else { "node" }
}

/// The scope that a key needs, as a role of the scheme `key`.
fn security(route: &Route) -> Value {
    match route.scope {
        Some(scope) => json!([{ "key": [scope] }]),
        None => json!([]),
    }
}

fn parameters(route: &Route, schemas: &mut Schemas) -> Vec<Value> {
    let mut all = Vec::new();
    if let (Some(id), Some(name)) = (route.id, route.path.split(['{', '}']).nth(1)) {
        all.push(json!({ "in": "path", "name": name, "required": true, "schema": schemas.asked(id.schema()) }));
    }
    all.extend(route.query.iter().map(|one| parameter("query", one, schemas)));
    all.extend(route.headers.iter().map(|one| parameter("header", one, schemas)));
    all
}

fn parameter(place: &str, parameter: &Parameter, schemas: &mut Schemas) -> Value {
    let Parameter { name, about, values } = *parameter;
    let mut shown = json!({ "in": place, "name": name, "description": about, "schema": schemas.values(values) });
    if matches!(values, ParameterValues::Kinds) {
        (shown["style"], shown["explode"]) = ("form".into(), false.into());
    }
    shown
}

fn responses(route: &Route, schemas: &mut Schemas) -> Map<String, Value> {
    let refused = refusals(route).into_iter().map(|status| {
        let place = format!("#/components/responses/{}", refusal_name(status));
        (status.to_string(), json!({ "$ref": place }))
    });
    let mut all: Map<_, _> = refused.collect();
    for (status, content) in route.answers {
        let mut answer = json!({ "description": reason(*status) });
        match content {
            AnswerContent::Json(schema) => {
                answer["content"] = json!({ "application/json": { "schema": schemas.answered(*schema) } });
            }
            AnswerContent::Text(kind) => answer["content"] = json!({ (*kind): { "schema": { "type": "string" } } }),
            AnswerContent::Empty => {}
        }
        all.insert(status.to_string(), answer);
    }
    all
}

/// The statuses with which a call can be refused.
fn refusals(route: &Route) -> BTreeSet<u16> {
    let mut all: BTreeSet<_> = route.refusals.iter().copied().chain([400, HEAD_TOO_LARGE]).collect();
    if route.scope.is_some() {
        all.extend([401, 403, 503]);
    }
    if route.is_change() {
        // A page of another origin; and a store of which it is not known whether it was changed.
        all.extend([403, 504]);
    }
    if route.id.is_some() {
        all.insert(404);
    }
    if route.body.is_some() {
        all.extend([408, 413]);
    }
    all
}

/// The name under which the document has a refusal, such as `NotFound`.
pub fn refusal_name(status: u16) -> String {
    reason(status).replace(' ', "")
}

/// What a status is called.
pub fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Refused")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes;

    #[test]
    fn each_operation_has_a_name_of_its_own_and_refusals_that_the_document_has() {
        let mut names = BTreeSet::new();
        for route in routes::all() {
            assert!(names.insert(name(route)), "{}", name(route));
            assert!(refusals(route).is_subset(&REFUSALS.into()), "{}", route.path);
        }
        assert!(names.contains("get_commands_id_targets") && names.contains("get_openapi_json"), "{names:?}");
    }
}
