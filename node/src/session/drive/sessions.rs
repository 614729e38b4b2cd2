//! The sessions of one shard, and the loop that gives each session its turn when what it waits for has come. A session
//! at rest has no task: it consists of its driver in this table and its socket in the poller.

use std::{
    collections::BTreeSet,
    future, io,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    time::Instant,
};

use slab::Slab;
use tokio::task;
use tracing::error;

use super::{
    driver::Driver,
    poller::{Poller, SocketReadiness},
};
use crate::{
    shard::{SessionKey, SessionWork, Shard, Upgraded},
    sleep::sleep_until_some,
};

/// Runs the sessions of a shard, until the node stops and the last of them has ended.
pub async fn serve(shard: Rc<Shard>, poller: Poller) {
    let mut sessions = Sessions { shard: shard.clone(), drivers: Slab::new(), poller, alarms: BTreeSet::new() };
    while !(shard.shared.stop.is_cancelled() && sessions.drivers.is_empty()) {
        sessions.wait().await;
        sessions.take_ready();
        sessions.take_work();
        sessions.take_due();
        // The shard's messages and the calls of sessions go on between two rounds, however much is to be done here.
        task::yield_now().await;
    }
}

struct Sessions {
    shard: Rc<Shard>,
    drivers: Slab<Box<Driver>>,
    poller: Poller,
    /// When sessions want to be told the time.
    alarms: BTreeSet<(Instant, SessionKey)>,
}

impl Sessions {
    /// Waits until there is something to do.
    async fn wait(&mut self) {
        let alarm = self.alarms.first().map(|(at, _)| *at);
        let (shard, poller) = (&self.shard, &mut self.poller);
        let stopped = async {
            match shard.shared.stop.is_cancelled() {
                true => future::pending().await,
                false => shard.shared.stop.cancelled().await,
            }
        };
        tokio::select! {
            () = shard.work.filled() => {}
            ready = poller.ready() => ready.expect("the runtime watches the epoll of the shard"),
            () = sleep_until_some(alarm) => {}
            () = stopped => {}
        }
    }

    fn take_ready(&mut self) {
        while let Some((key, readiness)) = self.poller.take() {
            self.turn(key, |driver| driver.take_readiness(readiness));
        }
    }

    fn take_work(&mut self) {
        while let Some(work) = self.shard.work.pop() {
            match work {
                SessionWork::Adopt(upgraded) => self.adopt(*upgraded),
                SessionWork::Look(key) => self.turn(key, Driver::begin_look),
                SessionWork::Answer(key, call, answer) => self.turn(key, |driver| driver.take_answer(call, answer)),
            }
        }
    }

    /// Tells the time to the sessions whose alarm is due. A session that sets a new alarm which is due at once waits
    /// for the next round.
    fn take_due(&mut self) {
        let now = Instant::now();
        let mut due = Vec::new();
        while let Some((_, key)) = self.alarms.first().filter(|(at, _)| *at <= now) {
            due.push(*key);
            self.alarms.pop_first();
        }
        for key in due {
            self.turn(key, Driver::tell_time);
        }
    }

    fn adopt(&mut self, mut upgraded: Upgraded) {
        let read = std::mem::take(&mut upgraded.read);
        let entry = self.drivers.vacant_entry();
        let key = entry.key();
        entry.insert(Box::new(Driver::new(upgraded, self.shard.clone(), key)));
        self.turn(key, |driver| driver.open(&read));
    }

    /// Gives a session its turn, and watches for what the session waits for next. A session that panics ends alone.
    fn turn(&mut self, key: SessionKey, act: impl FnOnce(&mut Driver)) {
        let Some(driver) = self.drivers.get_mut(key) else { return };
        let turn = || {
            act(driver);
            driver.take_requests();
        };
        if catch_unwind(AssertUnwindSafe(turn)).is_err() {
            error!(key, "a session has panicked, and is ended");
            return self.remove(key);
        }
        if driver.is_over() || self.watch(key).is_err() {
            self.remove(key);
        }
    }

    /// Watches the socket and sets the alarm that the session waits for, so that its next turn comes. Fails if the
    /// system can't watch the socket.
    fn watch(&mut self, key: SessionKey) -> io::Result<()> {
        let Some(driver) = self.drivers.get_mut(key) else { return Ok(()) };
        let (wanted, alarm) = driver.waits_for();
        self.poller.watch(driver.stream(), key, driver.watched, wanted)?;
        driver.watched = wanted;
        if alarm != driver.alarm {
            self.alarms.extend(alarm.map(|at| (at, key)));
            if let Some(before) = std::mem::replace(&mut driver.alarm, alarm) {
                self.alarms.remove(&(before, key));
            }
        }
        Ok(())
    }

    fn remove(&mut self, key: SessionKey) {
        let driver = self.drivers.remove(key);
        if let Some(at) = driver.alarm {
            self.alarms.remove(&(at, key));
        }
        // Fails only if the system no longer watches the socket.
        let _ = self.poller.watch(driver.stream(), key, driver.watched, SocketReadiness::empty());
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::partition::PartitionIndex;
    use tokio::task::LocalSet;

    use super::*;
    use crate::shard::test_node;

    #[tokio::test]
    async fn a_session_that_panics_ends_alone() {
        let test = async {
            let shard = Rc::new(test_node::shard_at_rest());
            let (poller, drivers, alarms) = (Poller::new().unwrap(), Slab::new(), BTreeSet::new());
            let mut sessions = Sessions { shard: shard.clone(), drivers, poller, alarms };
            let ends = ["t1", "t2"].map(|id| test_node::connect(&shard, &id.parse().unwrap(), None));
            sessions.take_work();
            assert_eq!((sessions.drivers.len(), shard.sockets.len()), (2, 2));
            sessions.turn(0, |_| panic!("as a test wants it"));
            assert_eq!((sessions.drivers.len(), shard.sockets.len()), (1, 1));
            drop(ends);
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn what_a_terminal_has_sent_is_read_before_its_session_is_told_the_time() {
        let test = async {
            let shard = Rc::new(test_node::shard_at_rest());
            let (poller, drivers, alarms) = (Poller::new().unwrap(), Slab::new(), BTreeSet::new());
            let mut sessions = Sessions { shard: shard.clone(), drivers, poller, alarms };
            let end = test_node::connect(&shard, &"t1".parse().unwrap(), None);
            while shard.sockets.is_empty() || shard.sockets.held(PartitionIndex(0)) > 0 {
                sessions.take_work();
                task::yield_now().await;
            }
            // A message of one character, with a mask of zeros.
            end.writable().await.unwrap();
            end.try_write(b"\x81\x81\0\0\0\0x").unwrap();
            shard.shared.reports.drain();
            sessions.alarms.insert((Instant::now(), 0));
            sessions.take_due();
            assert_eq!(shard.shared.reports.drain().events.len(), 1);
        };
        LocalSet::new().run_until(test).await;
    }
}
