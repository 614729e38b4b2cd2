//! Receives the messages of the channels of many hash tags: one subscription for each master, for all channels of the
//! master's tags.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    StreamExt,
    future::{BoxFuture, FutureExt},
    stream::FuturesUnordered,
};
use redis::{ConnectionAddr, RedisError, RedisResult};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::{
    cluster::slots::slot,
    known_masters::KnownMasters,
    listen::{ChannelMessage, Closer, Subscribed},
    whereabouts::Whereabouts,
};

/// The least time between two subscriptions to the same channels.
const RETRY: Duration = Duration::from_millis(250);

/// The channels with one hash tag.
pub(crate) struct TagChannels {
    tag: String,
    slot: u16,
    channels: Vec<String>,
}

impl TagChannels {
    pub fn new(tag: String, channels: Vec<String>) -> Self {
        Self { slot: slot(&tag), tag, channels }
    }
}

/// Subscribes to the channels of many hash tags, and again whenever a subscription has ended.
pub struct MasterListener {
    shared: KnownMasters,
    unserved: Arc<Unserved>,
    attempts: FuturesUnordered<BoxFuture<'static, Result<Option<MasterSubscription>, NotListening>>>,
}

/// Some tags have no subscription now. The listener tries again.
#[derive(Debug, thiserror::Error)]
#[error("no subscription for {}: {error}", tags.join(", "))]
pub struct NotListening {
    /// The hash tags.
    pub tags: Vec<String>,
    /// Why there is no subscription.
    pub error: RedisError,
}

impl MasterListener {
    pub(crate) fn new(shared: KnownMasters, channels: impl Iterator<Item = TagChannels>) -> Self {
        let now = Instant::now();
        let tags = channels.map(|tag| UnsubscribedTag { tag: Arc::new(tag), due: now }).collect();
        let unserved = Arc::new(Unserved { tags: Mutex::new(tags), changed: Notify::new() });
        Self { shared, unserved, attempts: FuturesUnordered::new() }
    }

    /// Waits for a subscription to the tags of one master that had none, and returns it. The caller may have missed
    /// what was published before. When a subscription has ended, the caller must drop it: then the listener subscribes
    /// to its tags again, where they are by then. So the caller calls this again and again, besides reading the
    /// subscriptions. An error needs no action, since the listener tries again within 250 ms; the tags of other masters
    /// do not wait for that. A caller that drops the future loses nothing.
    pub async fn next(&mut self) -> Result<MasterSubscription, NotListening> {
        loop {
            self.begin();
            let due = self.unserved.due();
            tokio::select! {
                Some(done) = self.attempts.next() => match done {
                    Ok(None) => {}
                    Ok(Some(subscription)) => return Ok(subscription),
                    Err(error) => return Err(error),
                },
                () = self.unserved.changed.notified() => {}
                () = sleep_until(due) => {}
            }
        }
    }

    /// Begins an attempt for each master that has tags which are due.
    fn begin(&mut self) {
        let mut groups: Vec<(Option<ConnectionAddr>, Vec<Arc<TagChannels>>)> = Vec::new();
        for tag in self.unserved.take_due() {
            let owner = self.shared.owner(tag.slot);
            match groups.iter_mut().find(|(other, _)| *other == owner) {
                Some((_, tags)) => tags.push(tag),
                None => groups.push((owner, vec![tag])),
            }
        }
        for (owner, tags) in groups {
            let claim = Claim { tags, unserved: self.unserved.clone(), due: Instant::now() + RETRY };
            self.attempts.push(attempt(self.shared.clone(), owner, claim).boxed());
        }
    }
}

/// Subscribes to the channels of the claim's tags at their master. `None` if it had to look for the master first.
async fn attempt(
    shared: KnownMasters,
    owner: Option<ConnectionAddr>,
    mut claim: Claim,
) -> Result<Option<MasterSubscription>, NotListening> {
    match subscribe(&shared, owner, &claim.tags).await {
        Ok(Some(subscribed)) => Ok(Some(MasterSubscription { subscribed, claim })),
        Ok(None) => {
            claim.due = Instant::now();
            Ok(None)
        }
        Err(error) => Err(NotListening { tags: claim.tags().map(str::to_owned).collect(), error }),
    }
}

async fn subscribe(
    shared: &KnownMasters,
    owner: Option<ConnectionAddr>,
    tags: &[Arc<TagChannels>],
) -> RedisResult<Option<Subscribed>> {
    let channels = tags.iter().flat_map(|tag| &tag.channels).map(String::as_str);
    match (shared, owner) {
        (KnownMasters::Single(single), _) => {
            let master = single.answering().await?;
            let whereabouts = Whereabouts::of_single(single, master.addr().clone());
            Subscribed::open(single.topology(), &master, channels, whereabouts).await.map(Some)
        }
        (KnownMasters::Cluster(cluster), None) => cluster.find(tags[0].slot).await.map(|_| None),
        (KnownMasters::Cluster(cluster), Some(owner)) => {
            let slots = tags.iter().map(|tag| tag.slot).collect();
            let whereabouts = Whereabouts::of_slots(cluster.clone(), slots, owner.clone());
            let opened = Subscribed::open(cluster.topology(), &cluster.info(&owner), channels, whereabouts).await;
            opened.map(Some).inspect_err(|error| cluster.doubt(&owner, error))
        }
    }
}

/// A subscription at one master, for all channels of the master's tags that had no subscription. To drop it closes its
/// connection, and has the listener subscribe to its tags again.
pub struct MasterSubscription {
    subscribed: Subscribed,
    claim: Claim,
}

impl MasterSubscription {
    /// Returns the address of the master.
    pub fn master(&self) -> &ConnectionAddr {
        self.subscribed.master()
    }

    /// Returns the hash tags whose channels are subscribed to.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.claim.tags()
    }

    /// Returns the next message. `None` when the connection has ended or was closed, when one of the tags has moved to
    /// another master, or after a message for which the queue had no room: 2,048 messages or 32 MiB wait. Then all tags
    /// may have missed messages.
    pub async fn next(&mut self) -> Option<ChannelMessage> {
        self.subscribed.next().await
    }

    /// Returns what closes the subscription from elsewhere.
    pub fn closer(&self) -> Closer {
        self.subscribed.closer()
    }
}

/// The tags without a subscription and without an attempt.
struct Unserved {
    tags: Mutex<Vec<UnsubscribedTag>>,
    changed: Notify,
}

struct UnsubscribedTag {
    tag: Arc<TagChannels>,
    /// The time before which no attempt is made.
    due: Instant,
}

impl Unserved {
    fn take_due(&self) -> Vec<Arc<TagChannels>> {
        let now = Instant::now();
        self.tags().extract_if(.., |waiting| waiting.due <= now).map(|waiting| waiting.tag).collect()
    }

    /// Returns when the next tag is due; in a day if there is none.
    fn due(&self) -> Instant {
        let later = Instant::now() + Duration::from_secs(86_400);
        self.tags().iter().map(|waiting| waiting.due).min().unwrap_or(later)
    }

    fn tags(&self) -> MutexGuard<'_, Vec<UnsubscribedTag>> {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tags of an attempt or a subscription, which gives them back when it ends.
struct Claim {
    tags: Vec<Arc<TagChannels>>,
    unserved: Arc<Unserved>,
    due: Instant,
}

impl Claim {
    fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(|tag| tag.tag.as_str())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let waiting = self.tags.drain(..).map(|tag| UnsubscribedTag { tag, due: self.due });
        self.unserved.tags().extend(waiting);
        self.unserved.changed.notify_one();
    }
}
