//! One stream: where it stands, and what it sends next.
//!
//! A stream begins to read in the store, from its own place, and goes on with the tail of the node as soon as both stand at the same
//! place: behind an event that both have read, or where a look of the tail and a later one of the stream's own both found nothing more. So
//! many streams cost the store no more than one. While a partition of the store is away, streams that begin read by themselves.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::body::Frame;
use jiff::Timestamp;
use muster_protocol::partition::PartitionIndex;
use tokio::time;

use super::{
    counts::{CountsFollower, with_last_counts},
    filter::EventFilter,
    message::{EXPIRED, GAP, REVOKED, SLOW, StreamMessage, partial, place},
    open_streams::OpenStream,
    tail::POLL,
    target_watch::TargetWatch,
};
use crate::{
    auth::{TokenMark, VerifiedOperator},
    backplane::BackplaneError,
    http::HttpState,
};

/// A stream that has had nothing to send for so long sends a comment, or its place if that has moved on, so that no proxy closes it.
const QUIET: Duration = Duration::from_secs(15);
/// The bytes of messages in one portion, beyond one message. A stream holds no more than a portion that was not taken yet.
const PORTION: usize = 64 << 10;

/// What a stream's body is made of.
pub type Chunk = Result<Frame<Bytes>, Infallible>;

/// A stream of events.
pub struct EventReader {
    state: Arc<HttpState>,
    filter: EventFilter,
    open: OpenStream,
    place: StreamPlace,
    source: EventSource,
    /// The partitions that did not answer when the stream last read by itself.
    partial: Vec<PartitionIndex>,
    /// None if the stream wants no counts.
    counts: Option<CountsFollower>,
    watch: Option<TargetWatch>,
    /// Whether targets may have changed since they were looked at.
    is_watch_due: bool,
    progress: StreamProgress,
    /// The last second in which the key is valid, since 1970. None if the stream has no key.
    expires: Option<u64>,
    /// The key. None if the stream has none.
    key: Option<Arc<TokenMark>>,
}

/// How far a stream has come.
#[derive(Debug)]
struct StreamPlace {
    /// The place up to which events were looked at.
    cursor: String,
    /// The place that the client knows.
    told: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamProgress {
    Begins,
    Runs,
    Ends,
}

/// Where a stream reads.
#[derive(Debug, Clone, Copy)]
enum EventSource {
    /// In the store. If that has nothing more, the stream goes on with this number of the tail.
    Store { then: Option<u64> },
    /// In the store, which has nothing more: it may go on with the tail.
    Joining,
    /// In the tail, with the message of this number.
    Tail { next: u64 },
}

impl EventReader {
    /// A stream that begins behind `cursor`, and ends when the key of `operator` has expired or is revoked.
    pub fn new(
        state: Arc<HttpState>,
        filter: EventFilter,
        open: OpenStream,
        cursor: String,
        operator: &VerifiedOperator,
    ) -> Self {
        let watch = filter.detailed().map(TargetWatch::new);
        let counts = filter.wants_counts().then(|| CountsFollower::new(state.events.tail.changed(), filter.command()));
        Self {
            state,
            counts,
            open,
            place: StreamPlace { told: cursor.clone(), cursor },
            source: EventSource::Store { then: None },
            partial: Vec::new(),
            is_watch_due: watch.is_some(),
            watch,
            filter,
            progress: StreamProgress::Begins,
            expires: operator.expires,
            key: operator.token.clone(),
        }
    }

    /// The next portion, and the stream behind it. None behind the last.
    pub async fn next(mut self) -> Option<(Chunk, Self)> {
        self.open.takes();
        let text = match self.progress {
            StreamProgress::Ends => return None,
            // The client gets an answer and a cursor before anything happens.
            StreamProgress::Begins => {
                self.progress = StreamProgress::Runs;
                place(&self.place.cursor)
            }
            StreamProgress::Runs => self.next_text().await,
        };
        Some((Ok(Frame::data(text.into())), self))
    }

    /// What a stream sends that runs.
    async fn next_text(&mut self) -> String {
        let state = self.state.clone();
        // Before the key is looked at: what is revoked between is told.
        let mut revocations = state.shared.auth.revocations().watch();
        loop {
            // Looked at first: a stream that always has something to send never waits.
            let valid_for = self.valid_for();
            if valid_for.is_zero() || self.is_revoked() {
                break;
            }
            tokio::select! {
                text = time::timeout(QUIET.min(valid_for), self.portion()) => match text {
                    Ok(text) => return text,
                    Err(_) if !self.valid_for().is_zero() => return self.place.sign_of_life(),
                    Err(_) => {}
                },
                _ = revocations.changed() => {}
            }
        }
        self.progress = StreamProgress::Ends;
        if self.is_revoked() { REVOKED } else { EXPIRED }.to_owned()
    }

    fn is_revoked(&self) -> bool {
        let revocations = self.state.shared.auth.revocations();
        self.key.as_ref().is_some_and(|key| revocations.cover(key, Timestamp::now()))
    }

    /// How long the key is still valid, by the clock by which it is checked when a request comes. Zero if it has expired.
    fn valid_for(&self) -> Duration {
        let Some(expires) = self.expires else { return Duration::MAX };
        let end = Duration::from_secs(expires.saturating_add(1));
        end.saturating_sub(Duration::try_from(Timestamp::now().as_duration()).unwrap_or_default())
    }

    /// The next messages that the client is given. May be dropped while it waits: the stream then goes on from the same place.
    async fn portion(&mut self) -> String {
        loop {
            let read = match self.source {
                _ if self.is_watch_due => self.texts(&[]).await,
                EventSource::Store { then } => self.read_store(then).await,
                EventSource::Joining => {
                    self.join_tail().await;
                    continue;
                }
                EventSource::Tail { next } => self.read_tail(next).await,
            };
            match read {
                Ok(text) if !text.is_empty() => return text,
                Ok(_) => {}
                // A store that is away is asked again, from the same place.
                Err(error) => {
                    tracing::debug!(%error, "a stream of events waits");
                    time::sleep(POLL).await;
                }
            }
        }
    }

    async fn read_store(&mut self, then: Option<u64>) -> Result<String, BackplaneError> {
        let page = {
            let _turn = self.state.events.reading.acquire().await;
            self.state.shared.backplane.events(Some(&self.place.cursor)).await?
        };
        let mut text = String::new();
        if self.partial != page.partial {
            text.push_str(&partial(&page.partial));
        }
        if page.gap && !page.events.is_empty() {
            text.push_str(GAP);
        }
        let (mut messages, mut bytes) = (Vec::new(), 0);
        for event in &page.events {
            if bytes >= PORTION {
                break;
            }
            let message = StreamMessage::of(event);
            bytes += message.text.len();
            messages.push(Arc::new(message));
        }
        text.push_str(&self.texts(&messages).await?);
        self.counts.iter_mut().for_each(|counts| counts.saw(&messages));
        let is_whole = messages.len() == page.events.len();
        self.partial = page.partial;
        self.place.cursor = match messages.last() {
            Some(last) if !is_whole => last.cursor.clone(),
            _ => page.newest,
        };
        self.source = match then.filter(|_| messages.is_empty() && self.partial.is_empty() && !page.behind) {
            Some(next) => EventSource::Tail { next },
            None if is_whole && !page.more => EventSource::Joining,
            None => EventSource::Store { then: None },
        };
        Ok(text)
    }

    async fn join_tail(&mut self) {
        let tail = &self.state.events.tail;
        let place = tail.after_a_look().await;
        self.source = match tail.number_behind(&self.place.cursor) {
            Some(next) => EventSource::Tail { next },
            None => EventSource::Store { then: place.is_complete.then_some(place.next) },
        };
    }

    async fn read_tail(&mut self, next: u64) -> Result<String, BackplaneError> {
        let tail = &self.state.events.tail;
        if self.counts.as_mut().is_some_and(CountsFollower::catch_up) {
            tail.wake();
        }
        tail.has(next).await;
        let Some(messages) = tail.messages(next, PORTION) else {
            self.progress = StreamProgress::Ends;
            return Ok(SLOW.to_owned());
        };
        let text = self.texts(&messages).await?;
        if let Some(last) = messages.last() {
            self.place.cursor.clone_from(&last.cursor);
        }
        self.source = EventSource::Tail { next: next + messages.len() as u64 };
        Ok(text)
    }

    /// The texts of those messages that the client is given, and of the targets that changed by what they tell.
    async fn texts(&mut self, messages: &[Arc<StreamMessage>]) -> Result<String, BackplaneError> {
        let backplane = &*self.state.shared.backplane;
        let mut all = if self.counts.is_some() { with_last_counts(messages) } else { messages.to_vec() };
        let mut changes = None;
        if let Some(watch) = &self.watch {
            let of_command = |message: &Arc<StreamMessage>| {
                message.subject.as_ref().is_some_and(|subject| subject.command == Some(watch.command()))
            };
            if self.is_watch_due || messages.iter().any(of_command) {
                let cursor = messages.last().map_or(&self.place.cursor, |last| &last.cursor);
                let found = watch.look(backplane, cursor).await?;
                all.extend(found.messages.iter().cloned());
                changes = Some(found);
            }
        }
        let admits =
            |message: &Arc<StreamMessage>| message.subject.as_ref().is_none_or(|subject| self.filter.admits(subject));
        all.retain(admits);
        if self.filter.needs_labels() {
            self.state.events.learn_labels(backplane, &all).await?;
            let has_labels = |message: &Arc<StreamMessage>| {
                let labels = message.labels.get().and_then(|labels| labels.as_deref());
                let terminal = message.subject.as_ref().and_then(|subject| subject.terminal.as_ref());
                // The filter has admitted what is about no terminal.
                terminal.is_none_or(|terminal| self.filter.admits_labels(terminal, labels))
            };
            all.retain(has_labels);
        }
        if let Some(last) = all.iter().rfind(|message| message.has_id()) {
            self.place.told.clone_from(&last.cursor);
        }
        if let (Some(watch), Some(changes)) = (&mut self.watch, changes) {
            watch.has_told(changes);
            self.is_watch_due = false;
        }
        Ok(all.iter().map(|message| message.text.as_str()).collect())
    }
}

impl StreamPlace {
    /// What a stream sends that has had nothing to send for a while: its place, if the client does not know it, else a comment.
    fn sign_of_life(&mut self) -> String {
        if self.told == self.cursor {
            return ":\n\n".to_owned();
        }
        self.told.clone_from(&self.cursor);
        place(&self.cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_passes_events_over_tells_its_place() {
        let mut place = StreamPlace { cursor: "5-0".into(), told: "5-0".into() };
        assert_eq!(place.sign_of_life(), ":\n\n");
        place.cursor = "9-2".into();
        assert_eq!([place.sign_of_life(), place.sign_of_life()], ["id: 9-2\n\n", ":\n\n"]);
    }
}
