//! Schemas of the types of the API: of what is asked, in which much may be left out, and of what is answered.

use std::collections::BTreeSet;

use schemars::{
    Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value};

use crate::http::routes::{
    Route,
    content::{AnswerContent, SchemaOf},
    id::PathId,
    parameter::ParameterValues,
};

/// Where the document has the schemas of types.
const PLACE: &str = "#/components/schemas/";
/// What the name of a type ends with that looks otherwise where it is asked than where it is answered.
const ASKED: &str = "Input";

/// The schemas of all types that routes name.
pub struct Schemas {
    asked: SchemaGenerator,
    answered: SchemaGenerator,
    /// Types that look otherwise where they are asked.
    differing: BTreeSet<String>,
}

impl Schemas {
    /// The schemas of what these routes name.
    pub fn of<'a>(routes: impl Iterator<Item = &'a Route>) -> Self {
        let mut schemas = Self {
            asked: generator(Contract::Deserialize),
            answered: generator(Contract::Serialize),
            differing: BTreeSet::new(),
        };
        for route in routes {
            let parameters = route.query.iter().chain(route.headers);
            parameters.for_each(|parameter| _ = schemas.values(parameter.values));
            route.id.map(PathId::schema).into_iter().chain(route.body).for_each(|schema| _ = schemas.asked(schema));
            for (_, content) in route.answers {
                if let AnswerContent::Json(schema) = content {
                    schemas.answered(*schema);
                }
            }
        }
        schemas.differing = differing(&definitions(&schemas.asked), &definitions(&schemas.answered));
        schemas
    }

    /// What a call is asked with.
    pub fn asked(&mut self, schema: SchemaOf) -> Value {
        let schema = schema(&mut self.asked);
        self.as_asked(schema.into())
    }

    /// The values of a parameter.
    pub fn values(&mut self, values: ParameterValues) -> Value {
        let schema: Schema = values.schema(&mut self.asked);
        self.as_asked(schema.into())
    }

    /// What a call answers.
    pub fn answered(&mut self, schema: SchemaOf) -> Value {
        let mut schema = schema(&mut self.answered).into();
        visit(&mut schema, &mut absent_is_not_null);
        schema
    }

    /// All types by their names.
    pub fn into_components(self) -> Map<String, Value> {
        let mut all = definitions(&self.answered);
        for (mut name, schema) in definitions(&self.asked) {
            if self.differing.contains(&name) {
                name += ASKED;
            }
            all.insert(name, self.as_asked(schema));
        }
        all
    }

    fn as_asked(&self, mut schema: Value) -> Value {
        visit(&mut schema, &mut |object| {
            absent_is_not_null(object);
            if let Some(Value::String(reference)) = object.get_mut("$ref")
                && self.differing.contains(reference.trim_start_matches(PLACE))
            {
                *reference += ASKED;
            }
        });
        schema
    }
}

fn generator(contract: Contract) -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.contract = contract;
    settings.into_generator()
}

fn definitions(generator: &SchemaGenerator) -> Map<String, Value> {
    let mut all = generator.definitions().clone();
    all.values_mut().for_each(|schema| visit(schema, &mut absent_is_not_null));
    all
}

/// The types that do not look the same in both, and those that have such a type within.
fn differing(asked: &Map<String, Value>, answered: &Map<String, Value>) -> BTreeSet<String> {
    let both = || asked.iter().filter(|(name, _)| answered.contains_key(*name));
    let mut differ: BTreeSet<_> =
        both().filter(|(name, schema)| answered[*name] != **schema).map(|(name, _)| name.clone()).collect();
    loop {
        let has_one = |schema: &Value| {
            let text = schema.to_string();
            differ.iter().any(|name| text.contains(&format!("\"{PLACE}{name}\"")))
        };
        let more: BTreeSet<_> = both().filter(|(_, schema)| has_one(schema)).map(|(name, _)| name.clone()).collect();
        if more.is_subset(&differ) {
            return differ;
        }
        differ.extend(more);
    }
}

/// Calls `change` with each object within a value.
fn visit(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            change(object);
            object.values_mut().for_each(|within| visit(within, change));
        }
        Value::Array(list) => list.iter_mut().for_each(|within| visit(within, change)),
        _ => {}
    }
}

/// Says of fields that may be left out that they are not null, which no answer has, and which a request need not have.
fn absent_is_not_null(object: &mut Map<String, Value>) {
    let required: Vec<_> = object.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(Value::Object(properties)) = object.get_mut("properties") else { return };
    for (name, property) in properties {
        if let Value::Object(property) = property
            && !required.iter().any(|required| required == name)
        {
            not_null(property);
        }
    }
}

/// The schema without null among its values.
fn not_null(schema: &mut Map<String, Value>) {
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else { return };
    choices.retain(|choice| choice["type"] != "null");
    if let [Value::Object(only)] = &choices[..] {
        let only = only.clone();
        schema.remove("anyOf");
        only.into_iter().for_each(|(key, value)| _ = schema.entry(key).or_insert(value));
    }
}
