//! How a row of the table is written: the method and the path first, and then whatever is not as with most calls.

use muster_protocol::token::Scope;

use super::{
    Handler, Route,
    content::{AnswerContent, SchemaOf},
    id::PathId,
    parameter::Parameter,
};

pub const fn get(path: &'static str, about: &'static str, handle: Handler) -> Route {
    Route::new("GET", path, about, handle)
}

pub const fn post(path: &'static str, about: &'static str, handle: Handler) -> Route {
    Route::new("POST", path, about, handle)
}

pub const fn put(path: &'static str, about: &'static str, handle: Handler) -> Route {
    Route::new("PUT", path, about, handle)
}

pub const fn delete(path: &'static str, about: &'static str, handle: Handler) -> Route {
    Route::new("DELETE", path, about, handle)
}

impl Route {
    const fn new(method: &'static str, path: &'static str, about: &'static str, handle: Handler) -> Self {
        Self {
            method,
            path,
            about,
            scope: None,
            keeps_to_reach: false,
            is_unrecorded: false,
            id: None,
            query: &[],
            headers: &[],
            body: None,
            answers: &[],
            refusals: &[],
            handle,
        }
    }

    pub(super) const fn needs(self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self }
    }

    pub(super) const fn within_reach(self) -> Self {
        Self { keeps_to_reach: true, ..self }
    }

    pub(super) const fn unrecorded(self) -> Self {
        Self { is_unrecorded: true, ..self }
    }

    pub(super) const fn of_terminal(self) -> Self {
        Self { id: Some(PathId::Terminal), ..self }
    }

    pub(super) const fn of_command(self) -> Self {
        Self { id: Some(PathId::Command), ..self }
    }

    pub(super) const fn with_id(self, id: SchemaOf) -> Self {
        Self { id: Some(PathId::Of(id)), ..self }
    }

    pub(super) const fn takes(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    pub(super) const fn hears(self, headers: &'static [Parameter]) -> Self {
        Self { headers, ..self }
    }

    pub(super) const fn reads(self, body: SchemaOf) -> Self {
        Self { body: Some(body), ..self }
    }

    pub(super) const fn answers(self, answers: &'static [(u16, AnswerContent)]) -> Self {
        Self { answers, ..self }
    }

    pub(super) const fn refuses(self, refusals: &'static [u16]) -> Self {
        Self { refusals, ..self }
    }
}
