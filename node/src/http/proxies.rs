//! Proxies: lists them.

use hyper::StatusCode;
use muster_protocol::api::ProxyList;

use super::{
    HttpState,
    answer::{Answer, json},
};

/// `GET /v1/proxies`. The proxies that have reported to this node lately. Redis is not asked.
pub fn list(state: &HttpState) -> Answer {
    Ok(json(StatusCode::OK, &ProxyList { proxies: state.shared.backplane.proxies() }))
}
