//! The OpenAPI document of this API, as a node serves it.

use std::sync::OnceLock;

use bytes::Bytes;
use hyper::{HeaderMap, Response, StatusCode, header::HeaderValue};
use serde_json::Value;

use super::{
    answer::{Body, typed},
    etag,
};

/// The document. A node makes it when it is first asked for.
pub struct ApiDocument {
    make: fn() -> Value,
    /// The bytes of the document, and their tag.
    made: OnceLock<(Bytes, HeaderValue)>,
}

impl ApiDocument {
    /// Returns the document that `make` makes. Does not call `make` yet.
    pub fn new(make: fn() -> Value) -> Self {
        Self { make, made: OnceLock::new() }
    }

    /// `GET /v1/openapi.json`. The call needs no key, because the document is the same on every node of a version and
    /// says nothing about a cluster.
    pub fn serve(&self, sent: &HeaderMap) -> Response<Body> {
        let (bytes, tag) = self.made.get_or_init(|| {
            let bytes = Bytes::from((self.make)().to_string());
            let tag = etag::of(&bytes);
            (bytes, tag)
        });
        let answer = match etag::is_known(sent, tag) {
            true => etag::not_modified(),
            false => typed(StatusCode::OK, "application/json", bytes.clone()),
        };
        etag::tagged(answer, tag.clone())
    }
}
