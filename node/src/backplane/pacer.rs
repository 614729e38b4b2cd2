//! Commands that go out at a rate: what is due later waits here. One for each backplane, carried by its run loop. What waits is
//! stored elsewhere too, so that a node which dies with it loses nothing: whoever comes back gets it then.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use muster_protocol::{CommandId, TerminalId};
use tokio::{sync::Notify, time};

use super::envelope::{Audience, Delivery};
use crate::{fanout::Parcel, hub::Hub};

/// What waits, by command.
#[derive(Debug, Default)]
pub struct Pacer {
    waiting: Mutex<Vec<Paced>>,
    more: Notify,
}

#[derive(Debug)]
struct Paced {
    parcel: Arc<Parcel>,
    expires_at: Timestamp,
    terminals: VecDeque<TerminalId>,
    interval: Duration,
    next: Instant,
}

impl Pacer {
    /// Takes a delivery with a rate; false if it has none.
    pub fn take(&self, delivery: &Delivery) -> bool {
        let (Some(rate), Audience::Terminals(terminals)) = (delivery.rate.filter(|rate| *rate > 0.0), &delivery.to)
        else {
            return false;
        };
        let interval = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
        self.waiting().push(Paced {
            parcel: delivery.parcel(),
            expires_at: delivery.command.expires_at,
            terminals: terminals.iter().cloned().collect(),
            interval,
            next: Instant::now(),
        });
        self.more.notify_one();
        true
    }

    /// The commands of which something waits.
    pub fn commands(&self) -> Vec<CommandId> {
        self.waiting().iter().map(|paced| paced.parcel.command).collect()
    }

    /// Sends no more of this command.
    pub fn cancel(&self, command: CommandId) {
        self.waiting().retain(|paced| paced.parcel.command != command);
    }

    /// Sends what is due, for ever.
    pub async fn run(&self, hub: &Hub) {
        loop {
            let (due, next) = self.due();
            for (terminal, parcel) in due {
                hub.send(&[terminal], parcel).await;
            }
            tokio::select! {
                () = self.more.notified() => {}
                () = reach(next) => {}
            }
        }
    }

    /// What is due now, and when something is next.
    fn due(&self) -> (Vec<(TerminalId, Arc<Parcel>)>, Option<Instant>) {
        let mut waiting = self.waiting();
        let (now, mut due) = (Instant::now(), Vec::new());
        for paced in waiting.iter_mut() {
            while paced.next <= now
                && let Some(terminal) = paced.terminals.pop_front()
            {
                due.push((terminal, paced.parcel.clone()));
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

/// Waits for a moment; for none, for ever.
async fn reach(moment: Option<Instant>) {
    match moment {
        Some(moment) => time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
