//! The pacer: commands that are sent at a rate wait here until they are due. Each backplane has a pacer and runs it.
//! The store has the waiting commands too, so nothing is lost with the node: a terminal gets its command when it comes
//! back.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use muster_protocol::{CommandId, TerminalId, partition::PartitionIndex};
use tokio::sync::Notify;

use super::deliver::Deliver;
use crate::{sleep::sleep_until_some, wire::EncodedCommand};

/// The deliveries that wait, by command.
#[derive(Debug, Default)]
pub struct Pacer {
    waiting: Mutex<Vec<Paced>>,
    more: Notify,
}

#[derive(Debug)]
struct Paced {
    encoded: Arc<EncodedCommand>,
    expires_at: Timestamp,
    terminals: VecDeque<TerminalId>,
    interval: Duration,
    next: Instant,
}

impl Pacer {
    /// Sends a command to these terminals, `rate` a second, until it expires.
    pub fn pace(&self, encoded: Arc<EncodedCommand>, expires_at: Timestamp, terminals: Vec<TerminalId>, rate: f64) {
        let interval = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
        let next = Instant::now() + first_wait(encoded.partition, interval);
        self.waiting().push(Paced { encoded, expires_at, terminals: terminals.into(), interval, next });
        self.more.notify_one();
    }

    /// Returns the commands of a partition that still wait for some of their terminals.
    pub fn commands_of(&self, partition: PartitionIndex) -> Vec<CommandId> {
        let waiting = self.waiting();
        let paced = waiting.iter().filter(|paced| paced.encoded.partition == partition);
        paced.map(|paced| paced.encoded.command).collect()
    }

    /// Stops sending a command.
    pub fn cancel(&self, command: CommandId) {
        self.waiting().retain(|paced| paced.encoded.command != command);
    }

    /// Sends each delivery when it is due. Never returns.
    pub async fn run(&self, sessions: &dyn Deliver) {
        loop {
            let (due, next) = self.due();
            for (terminal, encoded) in due {
                sessions.send(&[terminal], encoded).await;
            }
            tokio::select! {
                () = self.more.notified() => {}
                () = sleep_until_some(next) => {}
            }
        }
    }

    /// Takes the deliveries that are due now. Returns them, and the time at which the next delivery is due.
    fn due(&self) -> (Vec<(TerminalId, Arc<EncodedCommand>)>, Option<Instant>) {
        let mut waiting = self.waiting();
        let (now, mut due) = (Instant::now(), Vec::new());
        for paced in waiting.iter_mut() {
            while paced.next <= now
                && let Some(terminal) = paced.terminals.pop_front()
            {
                due.push((terminal, paced.encoded.clone()));
                paced.next = paced.next.checked_add(paced.interval).unwrap_or(now);
            }
        }
        let today = Timestamp::now();
        waiting.retain(|paced| !paced.terminals.is_empty() && paced.expires_at > today);
        (due, waiting.iter().map(|paced| paced.next).min())
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Paced>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the wait before the first terminal of a partition. Each partition has its own part of the rate, and without
/// this wait all partitions would send to their first terminals at once. The golden ratio spreads any number of
/// partitions evenly.
fn first_wait(partition: PartitionIndex, interval: Duration) -> Duration {
    let share = (f64::from(partition.0) * 0.618_033_988_75).fract();
    Duration::try_from_secs_f64(interval.as_secs_f64() * share).unwrap_or_default()
}
