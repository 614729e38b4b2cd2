//! How the backplane reaches the sessions of this node. The backplane stands below the sessions and does not know them.
//! It calls this trait, and the shards implement it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use muster_protocol::{SessionId, TerminalId, frame, inbox::DrainRequest, partition::PartitionIndex};

use super::cursor::Cursor;
use crate::{end::SessionEnd, reports::EventReceipt, wire::EncodedCommand};

/// The sessions of this node, as the backplane sees them.
///
/// Commands reach each session in the order of these calls. A call waits while a shard is too busy to take a message.
/// The shard does what the message asks for later, on its own thread.
pub trait Deliver: Send + Sync {
    /// Sends a command to every session whose terminal belongs to the command's partition.
    fn broadcast(&self, command: Arc<EncodedCommand>) -> BoxFuture<'_, ()>;

    /// Sends a command to those of `terminals` that have a session here.
    fn send<'a>(&'a self, terminals: &'a [TerminalId], command: Arc<EncodedCommand>) -> BoxFuture<'a, ()>;

    /// Ends `session` if it is here. A newer session of the terminal stays.
    fn end_session<'a>(&'a self, terminal: &'a TerminalId, session: SessionId, end: SessionEnd) -> BoxFuture<'a, ()>;

    /// Ends the terminal's session, if the terminal has one here.
    fn end_terminal<'a>(&'a self, terminal: &'a TerminalId, end: SessionEnd) -> BoxFuture<'a, ()>;

    /// Has every session of a partition register again.
    ///
    /// Returns when each shard has begun with that, and so has handled what waited in its mailbox before. After the
    /// return no shard sends what was delivered to the partition before this call.
    fn rejoin(&self, partition: PartitionIndex) -> BoxFuture<'_, ()>;

    /// Has one session register again. Returns false if the session is not here.
    fn rejoin_session<'a>(&'a self, terminal: &'a TerminalId, session: SessionId) -> BoxFuture<'a, bool>;

    /// Tells a session, if it is here, that an event that came on it is stored.
    fn event_stored<'a>(&'a self, terminal: &'a TerminalId, receipt: &'a EventReceipt) -> BoxFuture<'a, ()>;

    /// Asks the node to send sessions away. Drops the request, with a warning, while too many wait. The requester then
    /// sees that nothing happens, and asks again.
    fn request_drain(&self, request: DrainRequest);
}

/// Encodes a command. `place` is the command's position in `partition`. The frame of a broadcast carries this position
/// as cursor.
pub fn encode(
    partition: PartitionIndex,
    mut command: frame::Command,
    place: &Cursor,
    to_all: bool,
) -> Arc<EncodedCommand> {
    command.cursor = to_all.then(|| place.to_string());
    Arc::new(EncodedCommand::new(partition, place.number, command))
}
