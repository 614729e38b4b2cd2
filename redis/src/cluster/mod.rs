//! The masters of a Redis Cluster: one connection to each, and the map that says which master has a slot.
//!
//! A master that ends its connection, does not answer in time, or says that it is not the master of a key is *suspect*:
//! calls for its slots wait until the map was read again, at most four times a second. Calls for the slots of other
//! masters go on. The waiting calls read the map themselves, so no task does.

mod read;
pub mod slots;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::{BoxFuture, FutureExt, Shared};
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, RedisError, RedisResult, ServerError, ServerErrorKind,
};
use tokio::{
    sync::watch,
    time::{self, Instant},
};

use self::slots::SlotMap;
use crate::{
    locate::{EARLIER, UNREACHED, is_elsewhere, unreached},
    master::late,
    server::{ANSWER, ServerConnection},
    single::is_broken,
    topology::{Servers, Topology},
};

/// The time between the beginnings of two readings of the map.
const BETWEEN: Duration = Duration::from_millis(250);

/// A connection that is being opened, or is open. The callers that wait for it poll it.
type Link = Shared<BoxFuture<'static, RedisResult<ServerConnection>>>;
/// A reading of the map, in progress.
type Reading = Shared<BoxFuture<'static, RedisResult<SlotMap>>>;

/// The masters of a Redis Cluster.
pub struct ClusterMasters {
    topology: Arc<Topology>,
    state: Mutex<State>,
    /// Counts the changes of the map.
    changes: watch::Sender<u64>,
}

struct State {
    map: SlotMap,
    /// One state for each master of the map, in the map's order.
    masters: Vec<MasterState>,
    reading: Option<Reading>,
    /// When the last reading began.
    read: Option<Instant>,
}

#[derive(Clone, Default)]
struct MasterState {
    link: Option<Link>,
    suspect: bool,
}

/// A master, and the connection to it.
#[derive(Clone)]
pub struct ClusterMaster {
    pub address: ConnectionAddr,
    link: Link,
}

/// Where a call goes next.
enum SlotLookup {
    To(ClusterMaster),
    Wait(Reading),
}

impl ClusterMasters {
    /// Prepares the connections. The first call reads the map.
    pub fn new(topology: Topology) -> Self {
        let state = State { map: SlotMap::default(), masters: Vec::new(), reading: None, read: None };
        Self { topology: Arc::new(topology), state: Mutex::new(state), changes: watch::Sender::new(0) }
    }

    /// Returns where the cluster is looked for.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Returns a channel that changes when a slot has another master.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Returns the address of the master that has this slot, unless the map has to be read first.
    pub fn owner(&self, slot: u16) -> Option<ConnectionAddr> {
        let state = self.state();
        let owner = state.trusted(slot)?;
        Some(state.map.masters[owner].clone())
    }

    /// Returns what is needed to connect to a member: the seeds' user and password, with this address.
    pub fn info(&self, address: &ConnectionAddr) -> ConnectionInfo {
        match self.topology.servers() {
            Servers::Cluster(seeds) => seeds[0].clone().set_addr(address.clone()),
            _ => unreachable!("a Cluster is made for the URL of a cluster"),
        }
    }

    /// Waits until the master of this slot is known, at most 2 s.
    pub async fn find(&self, slot: u16) -> RedisResult<ClusterMaster> {
        let find = async {
            loop {
                let reading = match self.step(slot) {
                    SlotLookup::To(master) => return Ok(master),
                    SlotLookup::Wait(reading) => reading,
                };
                let read = reading.clone().await;
                self.apply(&reading, read, slot)?;
            }
        };
        time::timeout(ANSWER, find).await.unwrap_or_else(|_| Err(late())).map_err(unreached)
    }

    /// Sends by the connection to the master of this slot. An error of the search or of connecting counts as not sent.
    pub async fn call<T, F: Future<Output = RedisResult<T>>>(
        &self,
        slot: u16,
        send: impl FnOnce(ServerConnection) -> F,
        errors: impl Fn(&T) -> Vec<ServerError>,
    ) -> RedisResult<T> {
        let connect = async {
            let master = self.find(slot).await?;
            let opened = master.link.clone().await;
            opened.map(|connection| (master.clone(), connection)).map_err(|error| {
                self.lose(&master);
                unreached(error)
            })
        };
        let (master, connection) = time::timeout(ANSWER, connect).await.unwrap_or_else(|_| Err(unreached(late())))?;
        let answer = send(connection).await;
        match &answer {
            Ok(value) => errors(value).iter().for_each(|error| self.heed(&master.address, error)),
            Err(error) => self.note(&master, error),
        }
        answer
    }

    /// Learns from an error of a call that was sent to this master.
    fn note(&self, master: &ClusterMaster, error: &RedisError) {
        if is_broken(error) {
            self.lose(master);
        }
        for (_, error) in error.clone().into_server_errors().iter().flat_map(|errors| errors.iter()) {
            self.heed(&master.address, error);
        }
    }

    /// Learns from an error of a connection to this address that was not made for commands.
    pub fn doubt(&self, address: &ConnectionAddr, error: &RedisError) {
        if is_broken(error) {
            self.state().suspect(address);
        }
        for (_, error) in error.clone().into_server_errors().iter().flat_map(|errors| errors.iter()) {
            self.heed(address, error);
        }
    }

    /// Learns from an error that the server at this address answered. Does not take the new master of a slot from
    /// `MOVED`: other slots have mostly moved too, and the map has them all. `ASK` and `TRYAGAIN` change nothing: the
    /// slot is being moved, and keeps its master until that is done. The other slots of the master must not wait
    /// meanwhile.
    fn heed(&self, address: &ConnectionAddr, error: &ServerError) {
        let Some(kind) = error.kind() else { return };
        if is_elsewhere(kind) && !matches!(kind, ServerErrorKind::Ask | ServerErrorKind::TryAgain) {
            self.state().suspect(address);
        }
    }

    /// Gives up the connection to a master, unless another call has done so.
    fn lose(&self, master: &ClusterMaster) {
        let mut state = self.state();
        let Some(index) = state.map.masters.iter().position(|address| *address == master.address) else { return };
        let lost = state.masters[index].link.take_if(|link| link.ptr_eq(&master.link));
        state.masters[index].suspect |= lost.is_some();
    }

    fn step(&self, slot: u16) -> SlotLookup {
        let mut state = self.state();
        let Some(owner) = state.trusted(slot) else { return SlotLookup::Wait(self.reading(&mut state)) };
        let address = state.map.masters[owner].clone();
        let link = state.masters[owner].link.get_or_insert_with(|| self.open(&address)).clone();
        SlotLookup::To(ClusterMaster { address, link })
    }

    /// Returns a connection that opens when it is first polled.
    fn open(&self, address: &ConnectionAddr) -> Link {
        let (info, topology) = (self.info(address), self.topology.clone());
        let open = async move {
            let deadline = Instant::now() + ANSWER - EARLIER;
            ServerConnection::open(&info, topology.tls(), deadline, AsyncConnectionConfig::new()).await
        };
        open.boxed().shared()
    }

    /// Returns the reading in progress, or a new one. A new one starts when it is first polled, and not too soon after
    /// the last one began.
    fn reading(&self, state: &mut State) -> Reading {
        if let Some(reading) = &state.reading {
            return reading.clone();
        }
        let now = Instant::now();
        let begin = state.read.map_or(now, |read| now.max(read + BETWEEN));
        state.read = Some(begin);
        let sources = read::sources(&self.topology, state.connected());
        let topology = self.topology.clone();
        let reading = async move {
            time::sleep_until(begin).await;
            read::read(topology, sources).await
        };
        let reading = reading.boxed().shared();
        state.reading = Some(reading.clone());
        reading
    }

    /// Applies what a reading has found, unless another call has done so. An error if the reading failed, or no master
    /// has the slot.
    fn apply(&self, reading: &Reading, read: RedisResult<SlotMap>, slot: u16) -> RedisResult<()> {
        let mut state = self.state();
        let is_new = state.reading.as_ref().is_some_and(|current| current.ptr_eq(reading));
        if is_new {
            state.reading = None;
        }
        let map = read?;
        if is_new {
            let changed = state.replace(map);
            self.tell(changed);
        }
        if state.map.owners[usize::from(slot)].is_none() {
            return Err(RedisError::from((UNREACHED, "no master of the cluster has this slot", slot.to_string())));
        }
        Ok(())
    }

    fn tell(&self, changed: bool) {
        if changed {
            self.changes.send_modify(|changes| *changes += 1);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the index of the slot's master, if the slot has one that is not suspect.
    fn trusted(&self, slot: u16) -> Option<usize> {
        let owner = usize::from(self.map.owners[usize::from(slot)]?);
        (!self.masters[owner].suspect).then_some(owner)
    }

    fn suspect(&mut self, address: &ConnectionAddr) {
        if let Some(index) = self.map.masters.iter().position(|master| master == address) {
            self.masters[index].suspect = true;
        }
    }

    /// Replaces the map, and returns whether it has changed. Keeps the connections to masters that stay. No master is
    /// suspect afterwards.
    fn replace(&mut self, map: SlotMap) -> bool {
        let link = |address: &ConnectionAddr| {
            let index = self.map.masters.iter().position(|master| master == address)?;
            self.masters[index].link.clone()
        };
        self.masters = map.masters.iter().map(|address| MasterState { link: link(address), suspect: false }).collect();
        std::mem::replace(&mut self.map, map) != self.map
    }

    /// Returns the connections that are open.
    fn connected(&self) -> Vec<(ServerConnection, ConnectionAddr)> {
        let open = |link: &Option<Link>| link.as_ref()?.peek()?.as_ref().ok().cloned();
        let masters = self.masters.iter().zip(&self.map.masters);
        masters.filter_map(|(master, address)| Some((open(&master.link)?, address.clone()))).collect()
    }
}
