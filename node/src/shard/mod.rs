//! A shard is one thread with its own runtime, which runs a part of the node's sessions. Its loop handles messages. The
//! loop takes together what has piled up: so a busy shard makes fewer writes, and an idle shard sends at once.
//!
//! ```text
//!   shards    the mailboxes of all shards, as other floors see them
//!   message   what a shard is asked to do
//!   inbox     what a shard does in one pass
//!   beats     which shards answer
//!   mailbox   the way to one shard, and what becomes of its commands while it is frozen
//!   fanout    the sockets of one shard, and the walk that writes to them
//!   work      what the sessions of a shard have to do for it
//! ```
//!
//! Invariant: everything of a session happens on its shard's thread, so sockets need no locks.

mod beats;
mod fanout;
mod gate;
mod inbox;
mod mailbox;
mod message;
#[cfg(all(test, feature = "shuttle"))]
mod models;
#[cfg(test)]
mod partition_test;
#[cfg(test)]
mod rejoin_test;
mod shards;
#[cfg(test)]
pub mod test_node;
#[cfg(test)]
mod walk_test;
mod work;

use std::{
    cell::RefCell,
    io, iter,
    rc::Rc,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use jiff::Timestamp;
use muster_protocol::{TerminalId, partition::PartitionIndex};
use tokio::{
    runtime,
    task::{self, LocalSet},
    time::{self, Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use tracing::Level;

use self::{fanout::Sockets, gate::CommandGate, inbox::Inbox, work::WorkQueue};
pub use self::{
    fanout::{Socket, WriteBatch},
    message::{MAILBOX, ShardMessage, Upgraded},
    shards::Shards,
    work::{SessionKey, SessionWaker, SessionWork},
};
use crate::{
    auth::Auth,
    backplane::Backplane,
    config::Config,
    end::{EndReport, SessionEnd},
    fence::Fences,
    hub::{Hub, Lifecycle},
    metrics::Metrics,
    reports::Reports,
    session::{self, Output, Poller, Settings, TextHeartbeat},
    sync::mpsc,
    wire::{Decoder, EncodedCommand},
};

/// The most messages that a shard handles before its sessions get their turns.
const MESSAGES_AT_ONCE: usize = 256;
/// A ping interval has this many ticks. Each tick pings its part of the sessions, so no second has to ping all.
const PING_PARTS: usize = 16;
/// How often a shard looks for sessions whose token has expired, and says that it answers.
const EXPIRY_INTERVAL: Duration = Duration::from_millis(500);
/// How many sessions with expired tokens a shard ends each time. Each end is a call to Redis, and other calls wait
/// behind it.
const EXPIRED_AT_ONCE: usize = 1000;
/// The size in bytes of the one read buffer that all sockets of a shard use. A message at the default limit takes four
/// reads.
const READ_BUFFER: usize = 16 * 1024;

/// What all sessions of a node share.
pub struct Shared {
    /// The settings of the node.
    pub config: Config,
    /// Checks tokens and keys.
    pub auth: Auth,
    /// The table of this node's sessions.
    pub hub: Arc<Hub>,
    /// The mailboxes of the shards.
    pub shards: Arc<Shards>,
    /// The fences: until when this node may act as the owner of its sessions, for each partition of the store.
    pub fences: Arc<Fences>,
    /// Whether the node takes new sessions.
    pub lifecycle: Arc<Lifecycle>,
    /// The store, and the way to the other nodes.
    pub backplane: Arc<dyn Backplane>,
    /// What sessions report, until the backplane takes it.
    pub reports: Arc<Reports>,
    /// The metrics of the node.
    pub metrics: Arc<Metrics>,
    /// Cancelled to end the shards and the sessions that they still have.
    pub stop: CancellationToken,
}

/// One shard, as its sessions see it.
pub struct Shard {
    /// The index of the shard.
    pub index: usize,
    /// The sockets of the shard's sessions.
    pub sockets: Sockets,
    /// What the sessions have to do for the shard.
    pub work: Rc<WorkQueue>,
    /// What all sessions of the node share.
    pub shared: Arc<Shared>,
    /// What is the same for all sessions.
    pub settings: Settings,
    /// The output of a session's machine. The sessions use it one after the other.
    pub output: RefCell<Output>,
    /// The read buffer. The sockets use it one after the other. No borrow of the buffer lasts across an await.
    pub buffer: RefCell<Box<[u8]>>,
    /// The gate of each partition, which is shut while the partition's fence has expired.
    gates: Box<[CommandGate]>,
}

/// Starts the thread of a shard. The thread ends when `Shared::stop` is cancelled. Fails if the thread or its
/// runtime can't be made.
pub fn start(index: usize, mailbox: mpsc::Receiver<ShardMessage>, shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let poller = {
        let _in_runtime = runtime.enter();
        Poller::new()?
    };
    thread::Builder::new().name(format!("shard-{index}")).spawn(move || {
        let shard = Rc::new(Shard::new(index, shared));
        let sessions = LocalSet::new();
        runtime.block_on(async {
            sessions.run_until(run(shard, mailbox, poller)).await;
            // Sessions that were just told to end still read what their terminals send. After this time they are cut
            // off.
            let _ = time::timeout(session::FAREWELL, sessions).await;
        });
    })
}

async fn run(shard: Rc<Shard>, mailbox: mpsc::Receiver<ShardMessage>, poller: Poller) {
    let mut sessions = task::spawn_local(session::serve(shard.clone(), poller));
    let mut inbox = Inbox::new(mailbox, MESSAGES_AT_ONCE);
    let tick = shard.shared.config.ping / PING_PARTS as u32;
    let mut ticks = time::interval_at(Instant::now() + tick, tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut part = 0;
    let mut expiry = time::interval(EXPIRY_INTERVAL);
    expiry.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shard.shared.stop.cancelled() => return,
            ended = &mut sessions => return ended.expect("the sessions of a shard are served for as long as the shard is"),
            () = inbox.fill() => {
                carry_out(&shard, &mut inbox);
                // The sessions get their turns between two passes, however many messages wait.
                task::yield_now().await;
            }
            _ = ticks.tick() => {
                shard.sockets.ping(part, PING_PARTS);
                part = (part + 1) % PING_PARTS;
            }
            _ = expiry.tick() => {
                shard.shared.shards.beat(shard.index);
                let now = Timestamp::now().as_second().max(0) as u64;
                shard.sockets.end_expired(now, EXPIRED_AT_ONCE);
            }
        }
    }
}

/// Handles the messages of one pass in their order. Drops the commands of a partition while its fence has expired, or
/// after the shard has missed one of its commands. A session that registers again gets the dropped commands.
fn carry_out(shard: &Rc<Shard>, inbox: &mut Inbox) {
    while let Some(message) = inbox.next() {
        match message {
            ShardMessage::Adopt(upgraded) => shard.work.push(SessionWork::Adopt(upgraded)),
            ShardMessage::Broadcast(encoded) => broadcast(shard, encoded, inbox),
            ShardMessage::Send(addr, encoded) => {
                if shard.may_send(encoded.partition) {
                    shard.sockets.send(addr, &encoded);
                }
            }
            ShardMessage::SendUnstored(addr, encoded) => shard.sockets.send_unstored(addr, &encoded),
            ShardMessage::Rejoin(partition, begun) => {
                shard.gate(partition).reopen();
                shard.shared.shards.reopen(shard.index, partition);
                shard.sockets.rejoin(partition);
                let _ = begun.send(());
            }
            ShardMessage::RejoinOne(addr) => shard.sockets.rejoin_one(addr),
            ShardMessage::EventStored(addr, id) => shard.sockets.event_stored(addr, id),
            ShardMessage::End(addr, end) => shard.sockets.end(addr, end),
        }
    }
}

/// Sends a broadcast and the broadcasts that follow it in the inbox, also those that arrive meanwhile. Sends one
/// partition after the other, and the commands of a partition in their order.
fn broadcast(shard: &Shard, first: Arc<EncodedCommand>, inbox: &mut Inbox) {
    let mut waiting = Vec::from_iter(Some(first).filter(|command| shard.may_send(command.partition)));
    let mut follow = |waiting: &mut Vec<Arc<EncodedCommand>>| {
        let following = iter::from_fn(|| inbox.next_broadcast());
        waiting.extend(following.filter(|command| shard.may_send(command.partition)));
    };
    follow(&mut waiting);
    while let Some(partition) = waiting.first().map(|command| command.partition) {
        let commands = take(&mut waiting, partition);
        shard.sockets.broadcast(commands, || {
            follow(&mut waiting);
            take(&mut waiting, partition)
        });
    }
}

/// Takes the commands of a partition out, in their order.
fn take(commands: &mut Vec<Arc<EncodedCommand>>, partition: PartitionIndex) -> Vec<Arc<EncodedCommand>> {
    commands.extract_if(.., |command| command.partition == partition).collect()
}

impl Shard {
    fn new(index: usize, shared: Arc<Shared>) -> Self {
        let partitions = shared.fences.partitions();
        Self {
            index,
            sockets: Sockets::new(
                partitions,
                shared.config.queue,
                shared.reports.clone(),
                shared.metrics.delivered.clone(),
            ),
            work: Rc::default(),
            settings: settings(&shared),
            output: RefCell::default(),
            buffer: RefCell::new(vec![0; READ_BUFFER].into()),
            gates: partitions.all().map(|index| CommandGate::new(shared.fences.of(index).clone())).collect(),
            shared,
        }
    }

    /// Returns whether the shard may send commands of a partition: the gate is open, and the shard has dropped no
    /// command of the partition.
    fn may_send(&self, partition: PartitionIndex) -> bool {
        self.gate(partition).is_open() && !self.shared.shards.has_missed(self.index, partition)
    }

    fn gate(&self, partition: PartitionIndex) -> &CommandGate {
        &self.gates[usize::from(partition.0)]
    }

    /// Logs and counts the end of a session.
    pub fn count_end(&self, terminal: &TerminalId, report: &EndReport) {
        let end = report.end;
        self.shared.metrics.ends.with_label_values(&[end.label()]).inc();
        // Nobody closed a connection that broke, so it counts as an end and not as a close.
        if end != SessionEnd::Lost {
            let (by, code) = report.labels();
            self.shared.metrics.closes.with_label_values(&[by, &code]).inc();
        }
        let (code, reason) = report.close.as_ref().map(|close| (close.code, &*close.text)).unzip();
        match end.level() {
            // The code says that the terminal closed because something is wrong, so the end is worth a line at level
            // info.
            Level::DEBUG if report.untold_code().is_some() => {
                tracing::info!(%terminal, ?end, code, reason, "session ended")
            }
            Level::WARN => tracing::warn!(%terminal, ?end, code, reason, "session ended"),
            Level::INFO => tracing::info!(%terminal, ?end, code, reason, "session ended"),
            _ => tracing::debug!(%terminal, ?end, code, reason, "session ended"),
        }
    }
}

fn settings(shared: &Shared) -> Settings {
    let config = &shared.config;
    Settings {
        node: shared.backplane.node().clone(),
        decoder: Decoder { max_message: config.max_message },
        hello_timeout: config.hello_timeout,
        max_rate: config.max_rate,
        ping: config.ping,
        queue: config.queue,
        plain_heartbeat: config.plain_mode.plain_heartbeat.as_ref().map(TextHeartbeat::new),
        echo: config.plain_mode.echo,
    }
}
