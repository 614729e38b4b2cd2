//! Lists: their queries, and the walk over their pages.

use std::collections::BTreeMap;

use form_urlencoded::Serializer;
use serde_json::value::RawValue;

use super::{ApiError, ClusterApi};
use crate::text::note;

/// How many rows of a page this program asks for at most.
const PAGE_MAX: usize = 1000;

/// A path with its query.
#[derive(Debug, Clone)]
pub struct ListQuery {
    path: &'static str,
    id: Option<String>,
    rest: &'static str,
    parameters: Vec<(&'static str, String)>,
    page_max: usize,
}

impl ListQuery {
    /// Returns the path of a list.
    pub fn new(path: &'static str) -> Self {
        Self { path, id: None, rest: "", parameters: Vec::new(), page_max: PAGE_MAX }
    }

    /// Returns the list `rest` of one thing, such as `/targets` of a command.
    pub fn of(path: &'static str, id: impl ToString, rest: &'static str) -> Self {
        Self { id: Some(id.to_string()), rest, ..Self::new(path) }
    }

    /// Adds a parameter, if it has a value.
    pub fn with(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.parameters.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// Adds labels, if there are any.
    pub fn with_labels(self, name: &'static str, labels: &[(String, String)]) -> Self {
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.with(name, (!labels.is_empty()).then(|| labels.join(",")))
    }

    /// Returns the query for pages of at most so many rows.
    pub fn pages_of(self, rows: usize) -> Self {
        Self { page_max: rows, ..self }
    }

    /// Returns the path and the query of a request.
    pub fn path(&self) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.parameters.iter().map(|(name, value)| (*name, value.as_str())));
        let (path, query) = (self.resource(), query.finish());
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }

    fn resource(&self) -> String {
        match &self.id {
            // An id has no character that a path can't have; the node refuses any other text.
            Some(id) => format!("{}/{}{}", self.path, id, self.rest),
            None => self.path.to_owned(),
        }
    }
}

/// What a walk over a list left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Whether there are more rows than were asked for.
    pub more: bool,
    /// The partitions of the store that did not answer, as JSON. Empty if all did.
    pub partial: String,
}

impl LeftOut {
    /// Says on the screen what was left out of a list of at most `limit` rows.
    pub fn tell(&self, limit: usize) {
        if self.more {
            note(&format!("there are more than {}: --limit 0 shows all", limit));
        }
        if !self.partial.is_empty() {
            note(&format!("parts of the store do not answer, and what they have is missing: {}", self.partial));
        }
    }
}

impl ClusterApi {
    /// Passes the rows of a list to `each`, at most `limit` of them, or all if that is 0. `field` is the name of the
    /// list in the answer, and `cursor` that of the parameter that takes `next`.
    ///
    /// # Errors
    /// If a page is not answered, or `each` fails.
    pub async fn rows(
        &self,
        query: ListQuery,
        (field, cursor): (&str, &'static str),
        limit: usize,
        each: &mut dyn FnMut(&RawValue) -> anyhow::Result<()>,
    ) -> anyhow::Result<LeftOut> {
        let (mut left, mut next) = (if limit == 0 { usize::MAX } else { limit }, None);
        loop {
            let size = left.min(query.page_max);
            let page = query.clone().with("limit", Some(size)).with(cursor, next.take());
            let page: BTreeMap<String, Box<RawValue>> = self.get(&page.path()).await?;
            let of = |name: &str| page.get(name).map_or("null", |value| value.get());
            let rows: Vec<Box<RawValue>> = serde_json::from_str(of(field)).map_err(malformed)?;
            for row in &rows {
                each(row)?;
            }
            left -= rows.len().min(left);
            next = serde_json::from_str::<Option<String>>(of("next")).map_err(malformed)?;
            if next.is_none() || left == 0 {
                let partial = page.get("partial").map(|value| value.get().to_owned()).unwrap_or_default();
                return Ok(LeftOut { more: next.is_some(), partial });
            }
        }
    }
}

fn malformed(error: serde_json::Error) -> ApiError {
    ApiError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_what_is_given() {
        assert_eq!(ListQuery::new("/v1/terminals").with("status", None::<String>).path(), "/v1/terminals");
        let labels = [("site".to_owned(), "b j".to_owned()), ("kind".to_owned(), "kiosk".to_owned())];
        let query = ListQuery::new("/v1/terminals").with("prefix", Some("a&b")).with_labels("selector", &labels);
        assert_eq!(query.path(), "/v1/terminals?prefix=a%26b&selector=site%3Db+j%2Ckind%3Dkiosk");
        assert_eq!(ListQuery::of("/v1/commands", "1", "/targets").path(), "/v1/commands/1/targets");
    }
}
