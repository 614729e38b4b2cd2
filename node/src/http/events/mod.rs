//! `GET /v1/events`: events as server-sent events. A stream begins with the next event, or after the client's `Last-Event-ID`.
//!
//! ```text
//!   store ──▶ tail (once for the node) ──▶ reader (one a stream) ── filter ──▶ client
//!     └────────────────────────────────────▶ (until it has come as far as the tail)
//!   counts     of commands, which the tail adds for streams that want them
//! ```

mod counts;
pub(super) mod filter;
mod message;
mod open_streams;
mod reader;
mod tail;
mod target_watch;

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::{Request, Response, StatusCode, body::Incoming, header};
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;

use self::{
    filter::{EventFilter, LAST_EVENT_ID},
    message::StreamMessage,
    open_streams::OpenStreams,
    reader::EventReader,
    tail::EventTail,
    target_watch::TARGETS_MAX,
};
use super::{
    HttpState,
    answer::{Answer, Body, later, no_command},
    reach::check_seen,
    request::{bad, parameter},
    saved_selectors::expanded,
};
use crate::{
    auth::VerifiedOperator,
    backplane::{Backplane, BackplaneError},
    config::Config,
};

/// The streams that read in the store at the same time, by themselves. More wait.
const READING: usize = 8;
/// When a client is asked to come back that found as many streams open as may be, in seconds.
const COME_BACK: u64 = 10;

/// The streams of events of this node.
pub struct EventStreams {
    tail: EventTail,
    open: Arc<OpenStreams>,
    reading: Semaphore,
    /// Held by the stream that asks for labels: those that wait find them known.
    learning: Mutex<()>,
}

impl EventStreams {
    /// No streams.
    pub fn new(config: &Config) -> Self {
        Self {
            tail: EventTail::default(),
            open: Arc::new(OpenStreams::new(config.max_event_streams, config.max_event_streams_per_key)),
            reading: Semaphore::new(READING),
            learning: Mutex::default(),
        }
    }

    /// Reads events for the streams, and closes those that are not read. Never returns.
    pub async fn run(&self, backplane: &dyn Backplane) {
        self.tail.run(backplane, self.open.count(), || self.open.cut_stuck(Instant::now())).await;
    }

    /// Looks up the labels of the terminals of these messages, once for all streams that have the same messages.
    async fn learn_labels(
        &self,
        backplane: &dyn Backplane,
        messages: &[Arc<StreamMessage>],
    ) -> Result<(), BackplaneError> {
        let _turn = self.learning.lock().await;
        let unknown = || messages.iter().filter(|message| message.labels.get().is_none());
        let terminal =
            |message: &Arc<StreamMessage>| message.subject.as_ref().and_then(|subject| subject.terminal.clone());
        let terminals: BTreeSet<_> = unknown().filter_map(terminal).collect();
        if terminals.is_empty() {
            return Ok(());
        }
        let terminals: Vec<_> = terminals.into_iter().collect();
        let found = backplane.labels_of(&terminals).await?;
        for message in unknown() {
            let labels = terminal(message).and_then(|terminal| found.get(&terminal)).cloned();
            let _ = message.labels.set(labels);
        }
        Ok(())
    }
}

/// `GET /v1/events?kind=terminal.online,terminal.offline&terminal=t1&selector=site=bj&command=ID&detail=1`
///
/// The stream ends when the operator's key has expired or is revoked. `connection` is cancelled if the stream is not read.
pub async fn stream(
    request: &Request<Incoming>,
    operator: &VerifiedOperator,
    connection: CancellationToken,
    state: Arc<HttpState>,
) -> Answer {
    let mut filter = EventFilter::parse(request.uri().query().unwrap_or_default())?.limited_to(&operator.limits.labels);
    if let Some(expression) = filter.expression().cloned() {
        filter = filter.picking(expanded(expression, &state).await?)?;
    }
    check_command(&filter, operator, &state).await?;
    let refused = |detail: String| later(StatusCode::TOO_MANY_REQUESTS, COME_BACK, detail);
    let open = state.events.open.open(&operator.name, connection).map_err(refused)?;
    let last = request.headers().get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    // A browser that comes back by itself sends the header with the URL that it began with: the header is newer.
    let cursor = match last.or_else(|| parameter(request, LAST_EVENT_ID)) {
        Some(cursor) => cursor,
        None => state.shared.backplane.events(None).await?.newest,
    };
    // An invalid cursor fails here and not in the middle of the stream.
    state.shared.backplane.events(Some(&cursor)).await?;
    let reader = EventReader::new(state, filter, open, cursor, operator);
    let body: Body = BodyExt::boxed_unsync(StreamBody::new(stream::unfold(reader, EventReader::next)));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    // Nginx would hold events back until its buffer is full, unless it is set up for them.
    headers.insert("x-accel-buffering", header::HeaderValue::from_static("no"));
    Ok(response)
}

/// Refuses to show the targets one by one of a command that is not known, or has too many; and to a limited key a command that it does
/// not see.
async fn check_command(
    filter: &EventFilter,
    operator: &VerifiedOperator,
    state: &HttpState,
) -> Result<(), Response<Body>> {
    let Some(command) = filter.command() else { return Ok(()) };
    if filter.detailed().is_none() && operator.limits.labels.is_empty() {
        return Ok(());
    }
    let record = state.shared.backplane.command(command).await?.ok_or_else(|| no_command(command))?;
    let record = check_seen(record, &operator.limits, state).await?;
    if filter.detailed().is_none() {
        return Ok(());
    }
    let targets = record.counts.values().sum::<u64>() + record.unseen;
    if targets > TARGETS_MAX {
        return Err(bad(format!(
            "detail: the command has {targets} targets, and {TARGETS_MAX} are the most that are shown one by one; follow it without detail, \
             and read GET /v1/commands/{command}/targets"
        )));
    }
    Ok(())
}
