//! Sends each message at its due time, whatever happened to earlier messages. The operator runs on its own thread
//! with its own runtime, so that a busy fleet does not delay the schedule against which the cluster is measured.
//!
//! `own_messages` holds what the operator sends and what the journal says about it. `send_path` has the ways by which
//! messages go, and `post` the way by HTTP. `api_check` runs before the run.

mod api_check;
mod own_messages;
mod post;
mod send_path;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

pub use self::api_check::ask;
use self::{own_messages::OwnMessages, post::post, send_path::SendPath};
use super::{LiveCounters, ProgramPipe, command_poll, pacer};
use crate::{
    clock::{SECOND, nanos},
    config::Config,
    journal::{Journal, SendOutcome},
    plan::{Partition, Plan},
};

/// The state that all send tasks share.
struct Operator {
    messages: OwnMessages,
    live: Arc<LiveCounters>,
    way: SendPath,
}

/// Starts a thread that sends the messages of this part, by `program` if there is one. The thread ends when the last
/// response was received, or at the end of the plan, whichever is first. Fails if the sending connection can't be set
/// up.
pub fn start(
    config: Config,
    plan: Arc<Plan>,
    partition: Partition,
    journal: Arc<Journal>,
    live: Arc<LiveCounters>,
    program: Option<ProgramPipe>,
) -> thread::JoinHandle<anyhow::Result<()>> {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let way = SendPath::open(&config, partition, program.as_ref()).await?;
            if let SendPath::Http(apis) = &way {
                journal.clock.wait_until(plan.begin.saturating_sub(SECOND / 4)).await;
                for api in apis {
                    api.warm_up().await;
                }
            }
            let messages = OwnMessages { config, plan, partition, journal };
            Arc::new(Operator { messages, live, way }).run().await;
            Ok(())
        })
    };
    thread::Builder::new().name("operator".into()).spawn(work).expect("a thread can be started")
}

impl Operator {
    async fn run(self: &Arc<Self>) {
        let OwnMessages { config, plan, journal, .. } = &self.messages;
        let mut posts = JoinSet::new();
        let free = Arc::new(Semaphore::new(if config.closed > 0 { config.closed } else { usize::MAX >> 3 }));
        let mut due = pacer::start(journal.clock, self.messages.due());
        while let Some(message) = due.recv().await {
            // With an open loop a permit is always available. With a closed loop (`--closed`) the schedule waits
            // here for a response, which is the error of that method: a slow server slows the load down.
            let permit = free.clone().acquire_owned().await;
            let operator = self.clone();
            posts.spawn(async move {
                operator.send(message).await;
                drop(permit);
            });
            while posts.try_join_next().is_some() {}
        }
        let rest = async { while posts.join_next().await.is_some() {} };
        let _ = tokio::time::timeout_at(journal.clock.instant(plan.last), rest).await;
    }

    async fn send(self: &Arc<Self>, message: usize) {
        let messages = &self.messages;
        let limit = messages.answer_limit();
        let mut at = 0;
        let (fate, endpoint, id) = match &self.way {
            SendPath::Http(apis) => {
                let endpoint = scattered(message) % apis.len();
                let (fate, id) = post(messages, &apis[endpoint], endpoint, message, &mut at).await;
                (fate, endpoint, id.map(|id| (apis[endpoint].clone(), id)))
            }
            SendPath::Line(publisher) => {
                at = messages.begins(message);
                (within(limit, publisher.publish(messages.body(message, at), message as u32)).await, 0, None)
            }
            SendPath::Redis(publisher) => {
                at = messages.begins(message);
                (within(limit, publisher.publish(messages.body(message, at))).await, 0, None)
            }
        };
        let due = messages.plan.messages[message].due;
        match fate {
            SendOutcome::Unsent(_) => drop(self.live.unsent.fetch_add(1, Relaxed)),
            _ if messages.config.closed > 0 => self.live.left(0),
            _ => self.live.left(at.saturating_sub(due)),
        }
        messages.ends(message, at, fate, endpoint);
        if let Some((api, id)) = id {
            let until = due + nanos(messages.config.grace);
            command_poll::poll(api, message, id, until.min(messages.plan.last), messages.journal.clone()).await;
        }
    }
}

/// Returns the outcome of a message. It is unknown if none comes within the limit.
async fn within(limit: Duration, sending: impl Future<Output = SendOutcome>) -> SendOutcome {
    let late = |_| SendOutcome::Unknown(format!("no answer within {limit:?}"));
    timeout(limit, sending).await.unwrap_or_else(late)
}

/// Returns a hash of `number` for the choice of an API endpoint. A plain modulo would correlate with the plan, for
/// example if every sixth message is a broadcast.
fn scattered(number: usize) -> usize {
    (crc32c::crc32c(&number.to_le_bytes()) >> 8) as usize
}
