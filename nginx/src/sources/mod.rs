//! Where the sidecar learns which nodes there are (`--nodes-from`): from the leases in Redis, from a file, or from a
//! name in DNS.
//!
//! ```text
//!   NodeSource ─┬▶ leases           Muster's nodes say themselves that they are there, and may lose their lease while they live
//!               └▶ listed ─┬▶ file  someone else says which servers there are; those that do not answer a probe are left out
//!                          └▶ name
//! ```

pub mod file;
mod listed;
mod name;

use std::time::{Duration, Instant};

use anyhow::anyhow;
use muster_redis::Fitness;
use tokio::time;

use self::listed::ListedNodes;
use crate::{
    config::{Config, NodesFrom},
    leases::{LeaseReader, RegistrySnapshot, is_unfit},
};

/// How long the sidecar waits at most, at the start, for a file or name that can't be read.
const START: Duration = Duration::from_secs(10);
/// The time between two attempts to read at the start.
const RETRY: Duration = Duration::from_millis(200);

/// One of the sources.
pub enum NodeSource {
    /// The leases in Redis.
    Leases(Box<LeaseReader>),
    /// A list that someone else keeps.
    Listed(Box<ListedNodes>),
}

impl NodeSource {
    /// Prepares the source of `--nodes-from`. Nothing is read yet.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        match &config.nodes_from {
            NodesFrom::Redis => Ok(Self::Leases(Box::new(LeaseReader::new(config)?))),
            listed => Ok(Self::Listed(Box::new(ListedNodes::new(listed, config)?))),
        }
    }

    /// Returns whether a node leaves at once when it is not named any more. A lease may be lost; whoever keeps a list
    /// means what it says.
    pub fn is_listed(&self) -> bool {
        matches!(self, Self::Listed(_))
    }

    /// Returns the reader of leases, through which the sidecar asks nodes for something. `None` if the nodes are listed
    /// elsewhere.
    pub fn leases(&mut self) -> Option<&mut LeaseReader> {
        match self {
            Self::Leases(leases) => Some(leases),
            Self::Listed(_) => None,
        }
    }

    /// Reads the nodes for the first time, and waits up to 10 s for the source. Returns `None` without waiting if it is
    /// away and the sidecar `inherits` a set of nodes that it can serve meanwhile.
    pub async fn first(&mut self, inherits: bool) -> anyhow::Result<Option<RegistrySnapshot>> {
        let listed = match self {
            Self::Leases(leases) => return leases.first(inherits).await,
            Self::Listed(listed) => listed,
        };
        let deadline = Instant::now() + START;
        loop {
            match listed.read().await {
                Ok(snapshot) => return Ok(Some(snapshot)),
                Err(_) if inherits => return Ok(None),
                Err(_) if Instant::now() < deadline => time::sleep(RETRY).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the nodes. An error says what could not be read: it means nothing for the nodes, which stay.
    pub async fn read(&mut self) -> anyhow::Result<RegistrySnapshot> {
        match self {
            Self::Listed(listed) => listed.read().await,
            Self::Leases(leases) => leases.read().await.map_err(|error| match is_unfit(&error) {
                true => anyhow!(error).context("the registry is not followed any more"),
                false => anyhow!(error).context("Redis is away"),
            }),
        }
    }

    /// Reads the secrets again, and the files that say how Redis is reached. Lists have none.
    pub async fn reread(&mut self, config: &Config) -> anyhow::Result<()> {
        match self {
            Self::Leases(leases) => leases.reread(config).await,
            Self::Listed(_) => Ok(()),
        }
    }

    /// Returns how many leases were refused, by reason.
    pub fn refused(&self) -> Vec<(&'static str, u64)> {
        match self {
            Self::Leases(leases) => leases.refused().collect(),
            Self::Listed(_) => Vec::new(),
        }
    }

    /// Checks that each master of Redis is what Muster needs. `None` if none could be asked, or if there is none.
    pub async fn check_requirements(&self) -> Option<Fitness> {
        match self {
            Self::Leases(leases) => leases.check_requirements().await,
            Self::Listed(_) => None,
        }
    }
}
