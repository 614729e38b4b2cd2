//! Proxies: lists them.

use hyper::StatusCode;
use muster_protocol::api::ProxyList;

use super::{
    HttpState,
    answer::{Answer, json},
};

/// `GET /v1/proxies`. Answers with the proxies that have reported to this node lately, without a call to Redis.
pub fn list(state: &HttpState) -> Answer {
    Ok(json(StatusCode::OK, &ProxyList { proxies: state.shared.backplane.proxies() }))
}
