//! `GET /v1/events`: events as server-sent events. A stream begins with the next event, or after the client's
//! `Last-Event-ID`.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::{Request, Response, body::Frame, body::Incoming, header};
use muster_protocol::partition::PartitionIndex;
use tokio::time;

use super::{
    HttpState,
    answer::{Answer, Body},
};
use crate::backplane::EventView;

/// The interval at which a stream looks for new events.
const POLL: Duration = Duration::from_millis(200);
/// A stream without events sends a comment once in this many looks, so that no proxy closes it.
const QUIET: u32 = 75;

/// Sent where events were missed that are not retained any more.
const GAP: &str = "event: gap\ndata: {\"reason\":\"events before the next one were removed unsent; read the current state from the API\"}\n\n";

/// The position of a stream.
struct EventStream {
    state: Arc<HttpState>,
    cursor: String,
    quiet: u32,
    /// The partitions that did not answer at the last look.
    partial: Vec<PartitionIndex>,
}

/// `GET /v1/events`
pub async fn stream(request: &Request<Incoming>, state: Arc<HttpState>) -> Answer {
    let last = request.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    let cursor = match last {
        Some(cursor) => cursor.to_owned(),
        None => state.shared.backplane.events(None).await?.newest,
    };
    // An invalid cursor fails here and not in the middle of the stream.
    state.shared.backplane.events(Some(&cursor)).await?;
    let events = EventStream { state, cursor, quiet: 0, partial: Vec::new() };
    let frames = stream::unfold(events, |events| async { Some(next(events).await) });
    let body: Body = BodyExt::boxed_unsync(StreamBody::new(frames));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}

type Chunk = Result<Frame<Bytes>, std::convert::Infallible>;

async fn next(mut events: EventStream) -> (Chunk, EventStream) {
    if events.quiet == 0 {
        // The client gets an answer and a cursor before anything happens.
        events.quiet = 1;
        return (Ok(Frame::data(format!("id: {}\n\n", events.cursor).into())), events);
    }
    loop {
        // A store that is away is asked again, from the same cursor.
        if let Ok(page) = events.state.shared.backplane.events(Some(&events.cursor)).await {
            events.cursor = page.newest;
            let mut parts = Vec::new();
            if events.partial != page.partial {
                parts.push(partial(&page.partial));
                events.partial = page.partial;
            }
            if page.gap && !page.events.is_empty() {
                parts.push(GAP.to_owned());
            }
            parts.extend(page.events.iter().map(text));
            if !parts.is_empty() {
                return (Ok(Frame::data(parts.concat().into())), events);
            }
        }
        events.quiet += 1;
        if events.quiet.is_multiple_of(QUIET) {
            return (Ok(Frame::data(Bytes::from_static(b":\n\n"))), events);
        }
        time::sleep(POLL).await;
    }
}

/// Tells which partitions do not answer: their events come when they are back.
fn partial(partitions: &[PartitionIndex]) -> String {
    format!("event: partial\ndata: {}\n\n", serde_json::json!({ "partial": partitions }))
}

fn text(event: &EventView) -> String {
    // A line break in the data can only be between two tokens of JSON, where a space means the same.
    let data = event.data.replace(['\n', '\r'], " ");
    format!("id: {}\nevent: {}\ndata: {data}\n\n", event.cursor, event.kind)
}
