//! Connections to Redis that follow its masters. Redis may be one server, a master with replicas that Sentinels watch,
//! or a Redis Cluster; the programs see the same in each case.
//!
//! ```text
//!                          ┌─ connection("{m:0}") ─┐         ┌─ one connection ──▶ master A   has {m:0}, {m:2}, …
//!   --redis URL            ├─ connection("{m:1}") ─┤         │
//!        │                 ├─ connection("{m:2}") ─┼─ slots ─┼─ one connection ──▶ master B   has {m:1}, …
//!        ▼                 │          …            │  map    │
//!     Topology ──▶ Masters ┤                       │         └─ one connection ──▶ master C   has …
//!                          │                       │
//!                          └─ listener(channels) ──┘─ one MasterSubscription for each master ──▶ messages
//! ```
//!
//! The keys of one partition have one hash tag, so that a Redis Cluster stores them in one slot, with one master. The
//! tags of different partitions lie on different masters. With one server or Sentinels, all tags lie on one master.
//!
//! **Commands.** [`Masters::connection`] gives a connection for a tag, which is cheap to make and to clone. The
//! connections of all tags on one master are one connection to it. [`Masters::groups`] says which tags can share a
//! pipeline.
//!
//! **When a master changes.** A connection stops trusting its master after one of these:
//!
//! - The connection ends, or an answer takes longer than 2 s.
//! - The server answers MOVED, ASK, TRYAGAIN, CLUSTERDOWN, MASTERDOWN, READONLY or LOADING.
//! - Sentinels name another master. Sentinels may replace a master that lives. They are asked twice a second whether they
//!   have, and then the connection to the old master is closed.
//!
//! The call that noticed returns the error, because no command may be carried out twice. A call that a server refused
//! whole with MOVED was not carried out, and is sent once more, to the new master. So a hand-over of slots
//! (`CLUSTER FAILOVER`) makes no call fail. The next call for a tag of the old master reads the map of slots, at most
//! four times a second, or asks the Sentinels, and connects again. Calls for the tags of other masters do not wait. A
//! search and a connection take at most 2 s together. [`not_sent`] says whether a call was certainly not sent, and
//! [`will_pass`] whether a later call may succeed.
//!
//! While a slot is moved by hand, commands for its tag may be refused with ASK or TRYAGAIN, until the slot has moved.
//!
//! In a Redis Cluster, the tags of other masters go on while one master fails over only with
//! `cluster-require-full-coverage no`. Otherwise all masters refuse commands meanwhile.
//!
//! **Messages.** [`MasterListener::next`] gives a subscription for each master, with the channels of all tags of that
//! master. A subscription ends when its connection ends, or when one of its tags moves to another master. Its user then
//! drops the subscription, and the listener subscribes to its tags again. Subscriptions at other masters go on:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # let (mut tasks, partitions) = (tokio::task::JoinSet::new(), ["{m:0}", "{m:1}"]);
//! let masters = muster_redis::Masters::new("redis+cluster://10.0.0.21,10.0.0.22".parse()?);
//! let channels = partitions.iter().map(|tag| ((*tag).to_owned(), vec![format!("{tag}:broadcast")]));
//! let mut listener = masters.listener(channels);
//! loop {
//!     match listener.next().await {
//!         Err(error) => eprintln!("{error}"),
//!         Ok(mut subscription) => drop(tasks.spawn(async move {
//!             for tag in subscription.tags() {
//!                 println!("{tag}: read what was missed");
//!             }
//!             while let Some(message) = subscription.next().await {
//!                 println!("{}: {} bytes", message.channel, message.payload.len());
//!             }
//!         })),
//!     }
//! }
//! # }
//! ```
//!
//! A connection can be dead without an end. Its user notices that if it publishes to a channel of its own and waits for
//! the message. To drop the subscription closes the connection; [`MasterSubscription::closer`] closes it from
//! elsewhere.
//!
//! | Module | What it does |
//! |---|---|
//! | [`secret`] | reads a secret from a file |
//! | [`url`] | puts a password into a URL |
//! | `topology` | parses the URL of `--redis`, and loads the files for TLS |
//! | `server` | connects to one server |
//! | `encryption` | connects by TLS, and says what is wrong if that fails |
//! | `masters`, `known_masters` | divides hash tags among masters |
//! | `single`, `locate` | follow the master of one server or of Sentinels |
//! | `sentinels` | asks Sentinels which server is the master, and whether it still is |
//! | `master` | a master that was found |
//! | `newest` | asks several sources at once, and takes the newest answer |
//! | `cluster` | follows the masters of a Redis Cluster |
//! | `connection` | sends commands for one tag |
//! | `listen`, `listener` | receive the messages of channels: of one tag, and of all |
//! | `whereabouts` | says when a tag has another master |
//! | `requirements` | checks that a Redis is what Muster needs |
//!
//! Node and sidecar share this crate. It is not part of `protocol/`, which does no I/O.

mod cluster;
mod connection;
mod encryption;
mod known_masters;
mod listen;
mod listener;
mod locate;
mod master;
mod masters;
mod newest;
mod requirements;
pub mod secret;
mod sentinels;
mod server;
mod single;
mod topology;
pub mod url;
mod whereabouts;

pub use muster_net::{TlsFiles, TlsFlags};

/// What programs call the TLS settings of their connections to Redis.
pub const TLS_FLAGS: TlsFlags =
    TlsFlags { ca: "--redis-ca", cert: "--redis-cert", key: "--redis-key", ..TlsFlags::FIELDS };

pub use self::{
    connection::Connection,
    listen::{ChannelMessage, Closer, Subscription},
    listener::{MasterListener, MasterSubscription, NotListening},
    locate::{not_sent, will_pass},
    masters::Masters,
    requirements::{Fitness, Unfit},
    topology::{BadTopology, BadUrl, Topology},
};
