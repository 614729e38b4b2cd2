//! Selectors that operators save under a name, to use them as `@saved(NAME)` in others.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{SelectorName, selector::MatchExpression};

/// The body of `PUT /v1/selectors/{name}`. An unknown field is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SelectorRequest {
    /// Which terminals it picks. It names no other saved selector.
    #[serde(rename = "match")]
    pub expression: MatchExpression,
}

/// A saved selector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct SavedSelector {
    /// Its name.
    pub name: SelectorName,
    /// Which terminals it picks.
    #[serde(rename = "match")]
    pub expression: MatchExpression,
    /// The name of the key by which it was saved last. Null on a node that asks for no key.
    pub by: Option<String>,
    /// When it was saved last.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub saved_at: Timestamp,
}

/// A page of the saved selectors, of which there are 128 at most, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct SelectorPage {
    /// The selectors.
    pub selectors: Vec<SavedSelector>,
    /// The last name of this page. Null on the last page.
    pub next: Option<SelectorName>,
}
