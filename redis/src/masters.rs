//! The masters of all hash tags.

use redis::ConnectionAddr;

use crate::{
    Connection, MasterListener, cluster::slots::slot, known_masters::KnownMasters, listener::TagChannels,
    topology::Topology,
};

/// The masters of all hash tags, each with one connection for commands. Clones share them.
///
/// With one server or Sentinels there is one master, which has all tags.
#[derive(Clone)]
pub struct Masters {
    shared: KnownMasters,
}

impl Masters {
    /// Prepares the connections, which are made when they are first used.
    pub fn new(topology: Topology) -> Self {
        Self { shared: KnownMasters::new(topology) }
    }

    /// Returns where the masters are looked for.
    pub fn topology(&self) -> &Topology {
        self.shared.topology()
    }

    /// Returns a connection for the keys with this hash tag, such as `{muster:7}`. Takes a key with the tag too.
    /// Connections for tags of one master share one connection to it.
    pub fn connection(&self, tag: &str) -> Connection {
        Connection::of(&self.shared, slot(tag))
    }

    /// Returns the address of the tag's master. `None` while the master is looked for, and before the first call.
    pub fn master(&self, tag: &str) -> Option<ConnectionAddr> {
        match &self.shared {
            KnownMasters::Single(single) => single.found().borrow().clone(),
            KnownMasters::Cluster(cluster) => cluster.owner(slot(tag)),
        }
    }

    /// Divides tags by their master, in the order in which they are given. One pipeline can carry commands for all tags
    /// of a group, through the [`connection`](Self::connection) of any of them. If a tag has moved meanwhile, only its
    /// own commands are refused, with `MOVED`. A tag whose master is being looked for has a group of its own.
    pub fn groups<'a>(&self, tags: impl IntoIterator<Item = &'a str>) -> Vec<Vec<&'a str>> {
        let mut groups: Vec<(Option<ConnectionAddr>, Vec<&str>)> = Vec::new();
        for tag in tags {
            let master = self.shared.owner(slot(tag));
            let alone = master.is_none() && matches!(self.shared, KnownMasters::Cluster(_));
            match groups.iter_mut().find(|(other, _)| !alone && *other == master) {
                Some((_, tags)) => tags.push(tag),
                None => groups.push((master, vec![tag])),
            }
        }
        groups.into_iter().map(|(_, tags)| tags).collect()
    }

    /// Prepares to receive the messages of channels. Each entry is a hash tag and the channels with this tag.
    pub fn listener(&self, channels: impl IntoIterator<Item = (String, Vec<String>)>) -> MasterListener {
        MasterListener::new(
            self.shared.clone(),
            channels.into_iter().map(|(tag, channels)| TagChannels::new(tag, channels)),
        )
    }
}
