//! The backplane of a cluster. It keeps the fleet in Redis, in partitions: `docs/store.md` describes the store.
//!
//! ```text
//!   one terminal ──▶ routed to its partition ──┐
//!   many, lists, counts ──▶ all partitions ────┼──▶ partition: a whole store under one hash tag
//!                                              └──▶ partition …
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `open.rs`, `misfit.rs` | opens the store, follows what it says of itself, and ends a node that does not fit |
//! | `by_master.rs`, `requirements.rs`, `clocks.rs`, `clock_difference.rs` | partitions by the masters that have them; checks that each master is what a node needs, and tells the right time |
//! | `connection.rs`, `refusal.rs` | how Redis is reached, and what a failure of Redis is told as |
//! | `member.rs`, `lease.rs`, `identity.rs`, `hearing.rs` | this node's part in a partition: its lease, how far it has come, the clock |
//! | `trust.rs` | what is believed of what stands in Redis |
//! | `listening.rs`, `catch_up.rs`, `delivery.rs` | from the channels and logs of partitions to sessions |
//! | `sessions.rs`, `ordinals.rs` | sessions that begin and end, and their numbers |
//! | `strays.rs`, `parted.rs` | sessions that began or ended while their partition was away |
//! | `keyed.rs` | a command whose idempotency key lies in another partition |
//! | `lost.rs` | shares of commands for many that were lost with a master |
//! | `many.rs`, `stored.rs`, `targets.rs`, `listed.rs` | commands for terminals of several partitions |
//! | `done.rs` | tells that a command for terminals of several partitions is done |
//! | `replicas.rs` | waits until replicas have a command |
//! | `history.rs` | the counters of minutes, summed up |
//! | `revocations.rs`, `enrolments.rs`, `operator_keys.rs`, `rollouts.rs`, `notices.rs`, `audit.rs` | revoked tokens, codes for first tokens, operators' keys, rollouts, notices and who changed what, which the first partition has for all |
//! | `upkeep.rs` | what is done in each partition beside sessions |
//! | `commands.rs`, `terminals.rs`, `events.rs`, `tickets.rs`, `membership.rs` | routed to one partition, or merged over all |
//! | `event_token.rs`, `event_wakes.rs`, `event_note.rs` | how far all events were read; how the node hears of the next one |
//! | `seen_proxies.rs` | the proxies of the cluster, by their own reports |
//! | `standing.rs` | which partitions this node can use, as it tells others |
//! | `answers.rs` | the answers of several partitions, and which of them are away |
//! | `writer.rs`, `partition_reports.rs`, `writing.rs` | what sessions reported, in portions for each partition |

mod answers;
mod audit;
mod by_master;
mod catch_up;
mod clock_difference;
mod clocks;
mod commands;
mod connection;
mod delivery;
mod done;
mod enrolments;
mod event_note;
mod event_token;
mod event_wakes;
mod events;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod hearing;
mod history;
mod identity;
mod keyed;
mod lease;
mod listed;
mod listening;
mod lost;
mod many;
mod member;
mod membership;
mod misfit;
mod notices;
mod open;
mod operator_keys;
mod ordinals;
mod parted;
pub mod partition;
mod partition_reports;
pub(crate) mod refusal;
mod replicas;
pub(crate) mod requirements;
mod revocations;
mod rollouts;
mod saved_selectors;
mod seen_proxies;
mod sessions;
mod standing;
mod stored;
mod strays;
mod targets;
mod terminals;
mod tickets;
pub mod trust;
mod upkeep;
mod writer;
mod writing;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use muster_protocol::{api::NodeView, partition::Partitions};
use muster_redis::Masters;
use tokio::sync::{Notify, Semaphore};

use self::{
    member::PartitionMember,
    partition::{
        PartitionBounds,
        store_info::{SchemaInUse, UnfitStore},
    },
    replicas::WantedReplicas,
    seen_proxies::SeenProxies,
    trust::Trust,
    writer::ReportWriter,
};
use super::{
    Deliver, TimeSource,
    event_signal::EventSignal,
    pacer::Pacer,
    redis::{parted::PartedSessions, strays::Strays},
    waiters::CommandWaiters,
    warning_pace::WarningPace,
};
use crate::{
    hub::{Hub, Lifecycle},
    metrics::Metrics,
    reports::Reports,
};

/// Sessions that register at once: more would only wait in Redis, and time out there when a whole node's sessions join
/// again.
const JOINING: usize = 256;

/// The store of a cluster, in partitions.
pub struct RedisBackplane {
    partitions: Partitions,
    masters: Masters,
    /// For commands, if replicas must have them.
    replicas: Option<WantedReplicas>,
    /// By index.
    members: Vec<Arc<PartitionMember>>,
    trust: Arc<Trust>,
    schema: SchemaInUse,
    /// Why the store does not fit this node any more, if so.
    misfit: OnceLock<UnfitStore>,
    node: NodeView,
    bounds: PartitionBounds,
    /// The interval at which each session is pinged.
    ping: Duration,
    /// A terminal that was offline for so long is forgotten.
    forget: Duration,
    /// Whether changes of terminals are recorded.
    records_changes: bool,
    hub: Arc<Hub>,
    lifecycle: Arc<Lifecycle>,
    sessions: Arc<dyn Deliver>,
    reports: Arc<Reports>,
    report_interval: Duration,
    metrics: Arc<Metrics>,
    /// By which it is judged what has expired, and with which the clocks of the masters are compared.
    clock: Arc<dyn TimeSource>,
    pacer: Pacer,
    /// Requests that wait until a command is done.
    waiters: CommandWaiters,
    /// Woken when there may be an event.
    event_signal: EventSignal,
    /// Notified when a lease was renewed: who left while its partition was away can be unregistered.
    renewed: Notify,
    strays: Strays,
    joining: Semaphore,
    /// Sessions that ended while their partitions were away.
    parted: PartedSessions,
    writer: ReportWriter,
    proxies: SeenProxies,
    /// Paces the warning that new terminals are refused.
    refusals: WarningPace,
}
