//! What bodies have: a type of the API, or a text.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// Names a type to the generator of schemas, which returns the schema or a reference to it.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What an answer has.
#[derive(Clone, Copy)]
pub enum AnswerContent {
    /// JSON.
    Json(SchemaOf),
    /// Anything else, of this content type.
    Text(&'static str),
    /// Nothing.
    Empty,
}

/// A type.
pub fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// One of two types.
pub fn either<A: JsonSchema, B: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [generator.subschema_for::<A>(), generator.subschema_for::<B>()] })
}

/// Any object.
pub fn object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}
