//! What a call may have beside its path and its body: parameters of the query, and headers.

use muster_protocol::{
    CommandId, TerminalId,
    api::{CommandState, Status, TargetState},
    json_schema::DurationText,
    selector::MatchExpression,
};
use schemars::{Schema, SchemaGenerator, json_schema};

use super::content::{SchemaOf, of};
use crate::{
    backplane::MINUTES_MAX,
    http::{events::filter, nodes::RATE_MAX, request::LIMIT_MAX, ticket},
};

/// A parameter of the query, or a header.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
    /// Which values it takes.
    pub values: ParameterValues,
}

/// Which values a parameter takes.
#[derive(Clone, Copy)]
pub enum ParameterValues {
    /// Any text.
    Text,
    /// `1` or `0`.
    Flag,
    /// What a type takes.
    Of(SchemaOf),
    /// Whole numbers, the bounds included.
    Integers(u64, u64),
    /// Numbers above 0, up to this.
    Positive(f64),
    /// Kinds of events, with commas between.
    Kinds,
}

impl ParameterValues {
    /// The values as a JSON Schema.
    pub fn schema(self, generator: &mut SchemaGenerator) -> Schema {
        match self {
            Self::Text => json_schema!({ "type": "string" }),
            Self::Flag => json_schema!({ "type": "string", "enum": ["0", "1"] }),
            Self::Of(schema) => schema(generator),
            Self::Integers(from, to) => json_schema!({ "type": "integer", "minimum": from, "maximum": to }),
            Self::Positive(to) => json_schema!({ "type": "number", "exclusiveMinimum": 0, "maximum": to }),
            Self::Kinds => {
                json_schema!({ "type": "array", "minItems": 1, "items": { "type": "string", "enum": filter::KINDS } })
            }
        }
    }
}

const fn parameter(name: &'static str, values: ParameterValues, about: &'static str) -> Parameter {
    Parameter { name, about, values }
}

pub const LIMIT: Parameter =
    parameter("limit", ParameterValues::Integers(1, LIMIT_MAX as u64), "The most entries of the page; 100 by default.");
pub const AFTER: Parameter = parameter("after", ParameterValues::Text, "The `next` of the page before.");
pub const BEFORE: Parameter = parameter("before", ParameterValues::Text, "The `next` of the page before.");
pub const WAIT: Parameter = parameter(
    "wait",
    ParameterValues::Of(of::<DurationText>),
    "Answers when the command is done, or after this time; at most 60 s.",
);
pub const DRY_RUN: Parameter =
    parameter("dry_run", ParameterValues::Flag, "1: accepts nothing, and says how many targets there would be.");
pub const COMMAND_STATE: Parameter =
    parameter("state", ParameterValues::Of(of::<CommandState>), "Commands in this state.");
pub const TARGET_STATE: Parameter =
    parameter("state", ParameterValues::Of(of::<TargetState>), "Targets in this state.");
pub const STATUS: Parameter = parameter("status", ParameterValues::Of(of::<Status>), "Terminals with this status.");
pub const COMMAND_NAME: Parameter = parameter("name", ParameterValues::Text, "Commands of this name.");
pub const BY: Parameter = parameter("by", ParameterValues::Text, "The name of the operator's key.");
pub const KEY: Parameter = parameter("key", ParameterValues::Text, "The id of the operator's key.");
pub const TERMINAL: Parameter =
    parameter("terminal", ParameterValues::Of(of::<TerminalId>), "What is about this terminal.");
pub const COMMAND: Parameter =
    parameter("command", ParameterValues::Of(of::<CommandId>), "What is about this command.");
pub const SELECTOR: Parameter =
    parameter("selector", ParameterValues::Text, "Labels as `site=bj,kind=kiosk`, all of which must match.");
pub const MATCH: Parameter = parameter(
    "match",
    ParameterValues::Of(of::<MatchExpression>),
    "An expression, such as `site = bj and version < 2`.",
);
pub const PREFIX: Parameter = parameter("prefix", ParameterValues::Of(of::<TerminalId>), "How the ids begin.");
pub const MINUTES: Parameter =
    parameter("minutes", ParameterValues::Integers(1, MINUTES_MAX as u64), "How many minutes; 60 by default.");
pub const STAY: Parameter =
    parameter("stay", ParameterValues::Flag, "1: the node waits without sessions, and does not end.");
pub const RATE: Parameter = parameter(
    "rate",
    ParameterValues::Positive(RATE_MAX),
    "Sessions per second, of all nodes together; 50 by default.",
);
pub const KIND: Parameter = parameter("kind", ParameterValues::Kinds, "Events of these kinds.");
pub const DETAIL: Parameter =
    parameter("detail", ParameterValues::Flag, "1: with an event for each target of `command`.");
pub const LAST_EVENT_ID: Parameter =
    parameter(filter::LAST_EVENT_ID, ParameterValues::Text, "The header `Last-Event-ID`, for those that can't set it.");
pub const TICKET: Parameter =
    parameter(ticket::PARAMETER, ParameterValues::Text, "A ticket in place of a key, as `POST /v1/ticket` gives it.");
pub const IDEMPOTENCY_KEY: Parameter = parameter(
    "Idempotency-Key",
    ParameterValues::Text,
    "1 to 128 visible ASCII characters. The same key and body are the same call for a day.",
);
pub const IF_NONE_MATCH: Parameter =
    parameter("If-None-Match", ParameterValues::Text, "The `ETag` of the answer that the client has.");
pub const LAST_EVENT_ID_HEADER: Parameter =
    parameter("Last-Event-ID", ParameterValues::Text, "The id of the last event that was received.");
