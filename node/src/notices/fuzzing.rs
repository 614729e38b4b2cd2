//! What operators set as notices.

use std::net::{IpAddr, SocketAddr};

use hyper::{Request, header};
use muster_protocol::api::NoticeRequest;

use super::{
    address::allowed,
    url::{NoticeUrl, URL_MAX},
};

/// The body of a request that sets a notice, and the URL of a notice.
pub(crate) fn notice(bytes: &[u8]) {
    if let Ok(read) = serde_json::from_slice::<NoticeRequest>(bytes) {
        let written = serde_json::to_string(&read).expect("a notice has a JSON form");
        assert_eq!(serde_json::from_str(&written).ok(), Some(read), "{written}");
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(url) = NoticeUrl::parse(text) else { return };
    assert!(text.len() <= URL_MAX && !url.host.is_empty() && !url.authority.contains(['@', '/']), "{url:?}");
    match url.authority.rsplit_once(':').filter(|_| !url.authority.ends_with(']')) {
        Some((_, port)) => assert_eq!(port.parse(), Ok(url.port), "{url:?}"),
        None => assert_eq!(url.port, if url.is_https { 443 } else { 80 }, "{url:?}"),
    }
    let request = Request::post(&url.path).header(header::HOST, &url.authority).body(());
    assert!(request.is_ok(), "no message can be posted to {url:?}");
    if let Ok(address) = url.host.parse::<IpAddr>() {
        let to = |address| allowed(vec![SocketAddr::new(address, url.port)], url.is_https, &[]).is_ok();
        assert_eq!(to(address), to(address.to_canonical()), "{url:?}");
    }
}
