//! Fuzz targets for heads, paths and queries of requests.

use std::{cell::Cell, convert::Infallible, future, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io;

use super::{
    answer::Body,
    events::filter::EventFilter,
    first_read::{self, FirstHandshake, FirstRead},
    list,
    path::segments,
    request_id, strict, terminals,
};

/// Reads bytes as the first of a connection. Panics if a handshake is not what hyper reads in the same bytes, or if
/// hyper reads a request in bytes that count as the beginning of a head.
pub(crate) fn head(bytes: &[u8]) {
    match first_read::parse(Bytes::copy_from_slice(bytes), "/ws") {
        FirstRead::Handshake(first) => {
            let FirstHandshake { request, bytes, length } = *first;
            let other = read_by_hyper(&bytes).expect("a handshake is a request");
            assert_eq!((request.method(), request.uri()), (other.method(), other.uri()));
            assert_eq!((request.version(), request.headers()), (other.version(), other.headers()));
            assert!(length <= bytes.len());
            let _ = strict::check(&request).and_then(|()| strict::check_handshake(&request));
            let id = request_id::of(request.headers());
            assert_eq!(request_id::header(&id), *id);
        }
        FirstRead::Part(bytes) => assert!(read_by_hyper(&bytes).is_none()),
        _ => {}
    }
}

/// Returns the first request that hyper reads in these bytes; none if it reads none.
fn read_by_hyper(bytes: &[u8]) -> Option<Request<()>> {
    let read = Cell::new(None);
    let service = service_fn(|request: Request<Incoming>| {
        read.set(Some(request.map(drop)));
        future::pending::<Result<Response<Body>, Infallible>>()
    });
    let stream = TokioIo::new(io::join(bytes, io::sink()));
    let _ =
        http1::Builder::new().header_read_timeout(None::<Duration>).serve_connection(stream, service).now_or_never();
    read.into_inner()
}

/// Reads bytes as the path of a request.
pub(crate) fn path(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(read) = segments(text) else { return };
    assert_eq!(read.len(), text.matches('/').count());
    assert!(read.iter().all(|segment| !segment.contains(|char: char| char == '/' || char.is_control())), "{read:?}");
    let escaped = |segment: &String| segment.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let written: String = read.iter().map(|segment| format!("/{}", escaped(segment))).collect();
    assert_eq!(segments(&written).ok(), Some(read));
}

/// Reads bytes as the query of a request for terminals, for commands and for events.
pub(crate) fn query(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(terminals) = terminals::parse(text) {
        assert!((1..=1000).contains(&terminals.limit) && terminals.labels.len() <= 32, "{terminals:?}");
    }
    if let Ok(commands) = list::parse(text) {
        assert!((1..=1000).contains(&commands.limit), "{commands:?}");
    }
    let _ = EventFilter::parse(text);
}
