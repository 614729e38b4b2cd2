//! The newest events, which the node reads once for all of its streams, as long as there are streams.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use muster_protocol::partition::PartitionIndex;
use tokio::{
    sync::watch,
    time::{self, Instant},
};

use super::{
    counts::{self, ChangedCommands},
    message::{GAP, StreamMessage, partial},
};
use crate::backplane::{Backplane, BackplaneError, EventPage, EventWatch};

/// The least time between two looks for new events, and the interval of looks while there are some.
pub const POLL: Duration = Duration::from_millis(200);
/// The longest time without a look. The message that there is an event may be lost between nodes; then the event is this late.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The bytes of messages that the tail has at most. A stream that is further behind is cut.
const BYTES_MAX: usize = 4 << 20;
/// The most pages of events that are read at one look.
const READS_MAX: usize = 50;
/// The bytes that a message takes besides its text.
const MESSAGE_BYTES: usize = 400;

/// The newest messages, by number.
#[derive(Debug)]
pub struct EventTail {
    recent: Mutex<RecentMessages>,
    /// The number that the next message gets.
    next: watch::Sender<u64>,
    /// How often the tail has looked for events.
    looks: watch::Sender<u64>,
    /// How often streams want it to have looked. Until then it does not wait for events.
    wanted: watch::Sender<u64>,
    /// The commands that have changed, of those whose counts streams want.
    changed: Arc<ChangedCommands>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct RecentMessages {
    messages: VecDeque<Arc<StreamMessage>>,
    bytes: usize,
    /// The number of the next message.
    next: u64,
    /// The place up to which the tail was read.
    cursor: String,
    /// The partitions that did not answer at the last look.
    partial: Vec<PartitionIndex>,
    /// Whether the tail has still to give out events that are older than its place.
    behind: bool,
}

/// How far the tail has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailPlace {
    /// The number of the next message.
    pub next: u64,
    /// Whether every event that there was when the look began is before it. False also while a partition of the store is away.
    pub is_complete: bool,
}

impl Default for EventTail {
    fn default() -> Self {
        Self::new(BYTES_MAX)
    }
}

impl EventTail {
    fn new(bytes_max: usize) -> Self {
        let (next, looks, wanted) = (watch::Sender::new(0), watch::Sender::new(0), watch::Sender::new(0));
        Self { recent: Mutex::default(), next, looks, wanted, changed: Arc::default(), bytes_max }
    }

    /// Reads events for ever, while `streams` says that there are streams. `beside` is called at each look, every 5 s at least.
    ///
    /// Each look reads all partitions of the store. So the tail looks again and again only while it finds something; when it finds nothing it
    /// begins a watch, looks once more, and waits until the watch is woken. What is written before that look is found by it, and what is
    /// written after it wakes the watch.
    pub async fn run(&self, backplane: &dyn Backplane, mut streams: watch::Receiver<usize>, beside: impl Fn()) {
        loop {
            if streams.wait_for(|count| *count > 0).await.is_err() {
                return;
            }
            // What was read for streams that are gone is behind those that begin now, or not complete.
            self.begin_anew();
            let mut watch = None;
            while *streams.borrow() > 0 {
                let begun = Instant::now();
                let is_quiet = self.look(backplane).await.unwrap_or_else(|error| {
                    tracing::debug!(%error, "events can't be read");
                    self.lock().behind = true;
                    false
                });
                self.tell_counts(backplane).await;
                let is_quiet = is_quiet && self.changed.is_quiet();
                self.looks.send_modify(|looks| *looks += 1);
                beside();
                let was_woken = match watch.take().filter(|_| is_quiet) {
                    Some(watch) => self.rest(watch, &mut streams).await,
                    None => false,
                };
                watch = if is_quiet && !was_woken { Some(backplane.watch_events().await) } else { None };
                time::sleep_until(begun + POLL).await;
            }
        }
    }

    /// Waits until the watch is woken, for 5 s at most, or until a stream wants a look or the last stream is gone. Returns whether the watch
    /// was woken.
    async fn rest(&self, mut watch: EventWatch, streams: &mut watch::Receiver<usize>) -> bool {
        let (mut wanted, looks) = (self.wanted.subscribe(), *self.looks.borrow());
        tokio::select! {
            () = watch.woken() => true,
            _ = wanted.wait_for(|wanted| *wanted > looks) => false,
            _ = streams.wait_for(|count| *count == 0) => false,
            () = time::sleep(LOOK_AGAIN) => false,
        }
    }

    /// Reads what is new. Returns whether there was nothing, and nothing is known to come.
    async fn look(&self, backplane: &dyn Backplane) -> Result<bool, BackplaneError> {
        let (mut cursor, mut is_quiet) = (self.lock().cursor.clone(), true);
        if cursor.is_empty() {
            cursor = backplane.events(None).await?.newest;
            self.lock().cursor.clone_from(&cursor);
        }
        for _ in 0..READS_MAX {
            let page = backplane.events(Some(&cursor)).await?;
            cursor.clone_from(&page.newest);
            let more = page.more;
            // A partition that is away, or behind, has events that come without a message.
            is_quiet &= page.events.is_empty() && page.partial.is_empty() && !(more || page.behind || page.pending);
            self.add(page);
            if !more {
                break;
            }
        }
        Ok(is_quiet)
    }

    /// Adds the counts of commands that have changed. What can't be looked up is looked up later.
    async fn tell_counts(&self, backplane: &dyn Backplane) {
        let due = self.changed.take_due(Instant::now());
        let found = join_all(due.into_iter().map(|id| async move { (id, backplane.command(id).await) })).await;
        for (id, record) in found {
            match record {
                Ok(Some(record)) => self.push(|cursor| counts::message(cursor, &record)),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(command = %id, %error, "the counts of a command can't be read");
                    self.changed.set_due([id].into(), Instant::now());
                }
            }
        }
    }

    /// Adds a message behind the place up to which the tail was read.
    fn push(&self, message: impl FnOnce(&str) -> StreamMessage) {
        let mut recent = self.lock();
        let message = message(&recent.cursor);
        recent.push(message);
        recent.trim(self.bytes_max);
        let next = recent.next;
        drop(recent);
        self.next.send_replace(next);
    }

    /// The commands that have changed, for a stream that wants counts.
    pub fn changed(&self) -> Arc<ChangedCommands> {
        self.changed.clone()
    }

    /// Has the tail look soon, if it waits.
    pub fn wake(&self) {
        // One look may be under way, behind which it would wait.
        let next = *self.looks.borrow() + 2;
        self.wanted.send_if_modified(|wanted| std::mem::replace(wanted, next.max(*wanted)) < next);
    }

    fn begin_anew(&self) {
        let mut recent = self.lock();
        *recent = RecentMessages { next: recent.next, ..RecentMessages::default() };
    }

    /// Adds what was read.
    fn add(&self, page: EventPage) {
        let mut recent = self.lock();
        let before = recent.cursor.clone();
        if page.partial != recent.partial {
            recent.push(StreamMessage::about_stream(&before, partial(&page.partial)));
            recent.partial = page.partial;
        }
        if page.gap && !page.events.is_empty() {
            recent.push(StreamMessage::about_stream(&before, GAP.to_owned()));
        }
        for event in &page.events {
            let message = StreamMessage::of(event);
            message.subject.iter().for_each(|subject| self.changed.saw(subject, Instant::now()));
            recent.push(message);
        }
        recent.cursor = page.newest;
        recent.behind = page.behind || page.more;
        recent.trim(self.bytes_max);
        let next = recent.next;
        drop(recent);
        self.next.send_if_modified(|known| std::mem::replace(known, next) != next);
    }

    /// Messages from this number on, until their texts have `bytes`. Fewer bytes, or none, if there are no more now. None if those
    /// messages are not there any more.
    pub fn messages(&self, from: u64, bytes: usize) -> Option<Vec<Arc<StreamMessage>>> {
        let recent = self.lock();
        let first = recent.next - recent.messages.len() as u64;
        let skipped = usize::try_from(from.checked_sub(first)?).ok()?;
        let mut room = bytes;
        let fits = |message: &&Arc<StreamMessage>| {
            let fits = room > 0;
            room = room.saturating_sub(message.text.len());
            fits
        };
        Some(recent.messages.iter().skip(skipped).take_while(fits).cloned().collect())
    }

    /// The number of the message behind the event with this cursor, if the tail has that event.
    pub fn number_behind(&self, cursor: &str) -> Option<u64> {
        let recent = self.lock();
        let at = recent.messages.iter().position(|message| message.cursor == cursor)?;
        // What is about the stream itself has the cursor of the event before.
        let behind = usize::from(recent.messages[at].subject.is_some());
        Some(recent.next - (recent.messages.len() - at - behind) as u64)
    }

    /// Waits until there is a message with this number.
    pub async fn has(&self, number: u64) {
        let _ = self.next.subscribe().wait_for(|next| *next > number).await;
    }

    /// Waits until the tail has made a look that began after this call, and tells how far it came. A look that failed counts too.
    pub async fn after_a_look(&self) -> TailPlace {
        let mut looks = self.looks.subscribe();
        let now = *looks.borrow();
        // One may be under way.
        let end = now + 2;
        self.wanted.send_if_modified(|wanted| std::mem::replace(wanted, end.max(*wanted)) < end);
        let _ = looks.wait_for(|looks| *looks >= end).await;
        let recent = self.lock();
        TailPlace { next: recent.next, is_complete: !recent.behind && recent.partial.is_empty() }
    }

    fn lock(&self) -> MutexGuard<'_, RecentMessages> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecentMessages {
    fn push(&mut self, message: StreamMessage) {
        self.next += 1;
        self.bytes += size(&message);
        self.messages.push_back(Arc::new(message));
    }

    /// Removes the oldest messages beyond the bound. The newest stays.
    fn trim(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max && self.messages.len() > 1 {
            let Some(oldest) = self.messages.pop_front() else { return };
            self.bytes -= size(&oldest);
        }
    }
}

fn size(message: &StreamMessage) -> usize {
    MESSAGE_BYTES + message.text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backplane::EventView;

    fn page(cursors: &[&str]) -> EventPage {
        let event = |cursor: &&str| EventView {
            cursor: (*cursor).into(),
            kind: "terminal.event".into(),
            data: r#"{"terminal":"t1"}"#.into(),
        };
        let newest = (*cursors.last().unwrap()).to_owned();
        EventPage { events: cursors.iter().map(event).collect(), newest, ..EventPage::default() }
    }

    fn cursors(messages: Option<Vec<Arc<StreamMessage>>>) -> Option<Vec<String>> {
        Some(messages?.iter().map(|message| message.cursor.clone()).collect())
    }

    #[test]
    fn a_stream_that_is_further_behind_than_the_bound_finds_nothing() {
        let tail = EventTail::new(3 * (MESSAGE_BYTES + 60));
        tail.add(page(&["1", "2", "3"]));
        assert_eq!(cursors(tail.messages(0, 1 << 20)).unwrap(), ["1", "2", "3"]);
        assert_eq!(cursors(tail.messages(1, 1)).unwrap(), ["2"], "at least one");
        assert_eq!(cursors(tail.messages(3, 1 << 20)).unwrap(), [""; 0]);
        tail.add(page(&["4", "5"]));
        assert_eq!(cursors(tail.messages(0, 1 << 20)), None, "cut");
        assert_eq!(cursors(tail.messages(3, 1 << 20)).unwrap(), ["4", "5"]);
        assert!(tail.lock().bytes <= tail.bytes_max);
    }

    #[test]
    fn who_has_read_an_event_elsewhere_goes_on_behind_it() {
        let tail = EventTail::new(1 << 20);
        tail.add(page(&["1", "2", "3"]));
        assert_eq!(
            [tail.number_behind("1"), tail.number_behind("3"), tail.number_behind("x")],
            [Some(1), Some(3), None]
        );
        tail.begin_anew();
        assert_eq!(tail.number_behind("3"), None);
        tail.add(page(&["4"]));
        assert_eq!((tail.number_behind("4"), tail.messages(0, 1).is_none()), (Some(4), true));
    }
}
