//! Selectors that operators save under a name.

use futures_util::FutureExt;
use muster_protocol::{
    SelectorName,
    api::{SavedSelector, SelectorPage, SelectorRequest},
    token::Scope::{Admin, Read},
};

use super::{
    Route,
    content::{AnswerContent::Json, object, of},
    delete, get,
    parameter::{AFTER, LIMIT},
    put,
};
use crate::http::saved_selectors;

pub const ROUTES: &[Route] = &[
    get("/v1/selectors", "Lists the saved selectors in the order of their names", |asked| {
        saved_selectors::list(asked.query, asked.state).boxed()
    })
    .needs(Read)
    .takes(&[LIMIT, AFTER])
    .answers(&[(200, Json(of::<SelectorPage>))]),
    get("/v1/selectors/{name}", "Shows a saved selector", |asked| {
        saved_selectors::get(asked.id(), asked.state).boxed()
    })
    .needs(Read)
    .with_id(of::<SelectorName>)
    .answers(&[(200, Json(of::<SavedSelector>))]),
    put("/v1/selectors/{name}", "Saves a selector, in place of what had the name", |asked| {
        saved_selectors::put(asked.id(), asked.request, asked.call, asked.state).boxed()
    })
    .needs(Admin)
    .with_id(of::<SelectorName>)
    .reads(of::<SelectorRequest>)
    .answers(&[(200, Json(of::<SavedSelector>))]),
    delete("/v1/selectors/{name}", "Removes a saved selector", |asked| {
        saved_selectors::remove(asked.id(), asked.state).boxed()
    })
    .needs(Admin)
    .with_id(of::<SelectorName>)
    .answers(&[(200, Json(object))]),
];
