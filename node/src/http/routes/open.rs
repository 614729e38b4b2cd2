//! What needs no key and is about the node itself: probes, pages, and the document of the API.

use futures_util::{FutureExt, future::ready};
use muster_protocol::api::ProxyTerms;

use super::{
    Route,
    content::{
        AnswerContent::{Empty, Json, Text},
        object, of,
    },
    get,
    parameter::IF_NONE_MATCH,
};
use crate::http::{console, health, proxy_hop};

const PLAIN: &str = "text/plain";

pub const ROUTES: &[Route] = &[
    get("/", "Says in words that the node works, and where to go on", |asked| {
        ready(health::greet(asked.state)).boxed()
    })
    .answers(&[(200, Text(PLAIN))])
    .refuses(&[503]),
    get("/livez", "Says that the process answers", |_| ready(Ok(health::live())).boxed())
        .answers(&[(200, Text(PLAIN))]),
    get("/readyz", "Says whether the node takes sessions, or why not", |asked| {
        ready(health::ready(asked.state)).boxed()
    })
    .answers(&[(200, Text(PLAIN))])
    .refuses(&[503]),
    get("/metrics", "The metrics of the node, in the text format of Prometheus", |asked| {
        ready(Ok(health::metrics(asked.state))).boxed()
    })
    .answers(&[(200, Text(PLAIN))]),
    get("/proxy", "What the sidecar of a proxy compares with its own settings", |asked| {
        ready(Ok(proxy_hop::terms(asked.requester.peer, asked.state))).boxed()
    })
    .answers(&[(200, Json(of::<ProxyTerms>))]),
    get("/console/*", "The pages for operators", |asked| {
        ready(Ok(console::file(&asked.segments[1..], asked.request.headers()))).boxed()
    })
    .answers(&[(200, Text("text/html"))]),
    get("/v1/openapi.json", "This document", |asked| {
        ready(Ok(asked.state.document.serve(asked.request.headers()))).boxed()
    })
    .hears(&[IF_NONE_MATCH])
    .answers(&[(200, Json(object)), (304, Empty)]),
];
