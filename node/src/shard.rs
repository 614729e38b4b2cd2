//! A shard: one thread with its own runtime, holding a share of the node's sessions. Its loop carries out orders; what has piled
//! up meanwhile is taken together, so that a busy shard writes less often and an idle one never waits.
//!
//! Always: everything of a session happens on its shard's thread, so that sockets need no locks.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
    thread::{self, JoinHandle},
};

use muster_protocol::TerminalId;
use tokio::{
    net::TcpStream,
    runtime,
    sync::mpsc,
    task::LocalSet,
    time::{self, Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use tracing::Level;

use crate::{
    backplane::Backplane,
    config::Config,
    end::End,
    fanout::{Order, Parcel, Sockets},
    hub::Hub,
    metrics::Metrics,
    reports::Reports,
    session::{self, Pace},
    wire::{Decoder, Message, Partial},
};

/// Orders taken together at most.
const TURN: usize = 256;
/// A ping interval has this many ticks, and each tick pings its part of the sessions: no second is burdened with all.
const PING_PARTS: usize = 16;
/// The buffer that all sockets of a shard are read with: a message at the default limit takes four reads.
const READ_BUFFER: usize = 16 * 1024;

/// What the sessions of a node share.
pub struct Shared {
    /// The settings.
    pub config: Config,
    /// The table of sessions.
    pub hub: Arc<Hub>,
    /// The other nodes and the store.
    pub backplane: Arc<Backplane>,
    /// What sessions have to report.
    pub reports: Arc<Reports>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Ends the shards, with whatever sessions they still have.
    pub stop: CancellationToken,
}

/// One shard, as its sessions see it.
pub struct Shard {
    /// Which one.
    pub index: usize,
    /// Its sockets.
    pub sockets: Sockets,
    /// What it shares with the others.
    pub shared: Arc<Shared>,
    /// The rules of the wire.
    pub decoder: Decoder,
    /// Lent to whichever socket is readable; never borrowed across an await.
    pub buffer: RefCell<Box<[u8]>>,
    /// Something was dropped at the fence, and nothing may overtake it: until all sessions were asked to join again.
    fenced: Cell<bool>,
}

/// Starts a shard's thread. It ends when told to stop.
pub fn start(index: usize, mailbox: mpsc::Receiver<Order>, shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(format!("shard-{index}")).spawn(move || {
        let shard = Rc::new(Shard {
            index,
            sockets: Sockets::new(shared.config.queue, shared.reports.clone(), shared.metrics.delivered.clone()),
            decoder: Decoder { max_message: shared.config.max_message },
            buffer: RefCell::new(vec![0; READ_BUFFER].into()),
            shared,
            fenced: Cell::new(false),
        });
        let sessions = LocalSet::new();
        runtime.block_on(async {
            sessions.run_until(run(shard, mailbox)).await;
            // Those that were just told to end hear their terminals out; others are cut off by it.
            let _ = time::timeout(session::FAREWELL, sessions).await;
        });
    })
}

async fn run(shard: Rc<Shard>, mut mailbox: mpsc::Receiver<Order>) {
    let mut orders = Vec::with_capacity(TURN);
    let tick = shard.shared.config.ping / PING_PARTS as u32;
    let mut beat = time::interval_at(Instant::now() + tick, tick);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut part = 0;
    loop {
        tokio::select! {
            () = shard.shared.stop.cancelled() => return,
            _ = mailbox.recv_many(&mut orders, TURN) => {
                carry_out(&shard, &mut orders);
                // The sessions' own tasks get their turn between two walks, however many orders wait.
                tokio::task::yield_now().await;
            }
            _ = beat.tick() => {
                shard.sockets.ping(part, PING_PARTS);
                part = (part + 1) % PING_PARTS;
            }
        }
    }
}

/// Carries out orders in their order; broadcasts that follow each other go out together. Behind the fence nothing is sent: what
/// is dropped is made up for when the sessions join again.
fn carry_out(shard: &Rc<Shard>, orders: &mut Vec<Order>) {
    let mut together: Vec<Arc<Parcel>> = Vec::new();
    for order in orders.drain(..) {
        if matches!(order, Order::Broadcast(_) | Order::Send(..)) && shard.is_fenced() {
            continue;
        }
        if let Order::Broadcast(parcel) = order {
            together.push(parcel);
            continue;
        }
        shard.sockets.broadcast(&std::mem::take(&mut together));
        match order {
            Order::Adopt(arrival) => {
                tokio::task::spawn_local(session::run(arrival, shard.clone()));
            }
            Order::Send(place, parcel) => shard.sockets.send(place, &parcel),
            Order::Direct(place, parcel) => shard.sockets.direct(place, &parcel),
            Order::Rejoin(begun) => {
                shard.fenced.set(false);
                shard.sockets.rejoin();
                let _ = begun.send(());
            }
            Order::RejoinOne(place) => shard.sockets.rejoin_one(place),
            Order::End(place, end) => shard.sockets.end(place, end),
            Order::Broadcast(_) => unreachable!("taken above"),
        }
    }
    shard.sockets.broadcast(&together);
}

impl Shard {
    fn is_fenced(&self) -> bool {
        if !self.shared.hub.fence.holds() {
            self.fenced.set(true);
        }
        self.fenced.get()
    }

    /// Reads what a socket has, with the shard's own buffer, appends the messages that it completes, and charges `pace` for the
    /// read. Whoever calls this in a loop yields after each call: a socket that is always readable never makes its task wait.
    pub fn read(
        &self,
        stream: &TcpStream,
        partial: &mut Option<Box<Partial>>,
        messages: &mut Vec<Message>,
        pace: &mut Pace,
    ) -> Result<(), End> {
        let mut buffer = self.buffer.borrow_mut();
        match stream.try_read(&mut buffer) {
            Ok(0) => Err(End::Lost),
            Ok(count) => {
                let frames = self.decoder.decode(&mut buffer[..count], partial, messages).map_err(End::Wire)?;
                pace.count(count, frames);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(End::Lost),
        }
    }

    /// Logs and counts how a session ended.
    pub fn count_end(&self, terminal: &TerminalId, end: End) {
        self.shared.metrics.ends.with_label_values(&[end.label()]).inc();
        match end.level() {
            Level::WARN => tracing::warn!(%terminal, ?end, "session ended"),
            Level::INFO => tracing::info!(%terminal, ?end, "session ended"),
            _ => tracing::debug!(%terminal, ?end, "session ended"),
        }
    }
}
