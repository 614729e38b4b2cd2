//! Sends each message when it is due, whatever became of those before. It runs on a thread and a runtime of its own, so that a busy
//! fleet does not delay the schedule that the cluster is measured by.

use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
};

use hyper::StatusCode;
use rustix::io::Errno;
use serde::Deserialize;
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    Live,
    api::{Api, Trouble},
    fleet::Part,
    follow, pacer,
    publisher::Publisher,
};
use crate::{
    clock::{Nanos, SECOND, nanos},
    config::{Acks, Config, Target},
    journal::{Journal, SendOutcome, Sent},
    message::{self, Header, TARGETED},
    plan::Plan,
};

/// How messages reach the server.
enum Way {
    /// `POST /v1/commands`, or the text itself to any URL.
    Http(Vec<Arc<Api>>),
    /// A connection of the operator's own.
    Line(Publisher),
}

/// All it needs.
struct Operator {
    config: Config,
    plan: Arc<Plan>,
    part: Part,
    journal: Arc<Journal>,
    live: Arc<Live>,
    way: Way,
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
}

/// Sends this part's messages; returns when the last answer is there, or the time for it is over.
pub fn start(
    config: Config,
    plan: Arc<Plan>,
    part: Part,
    journal: Arc<Journal>,
    live: Arc<Live>,
) -> thread::JoinHandle<anyhow::Result<()>> {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let way = way(&config).await?;
            if let Way::Http(apis) = &way {
                journal.clock.reach(plan.begin.saturating_sub(SECOND / 4)).await;
                for api in apis {
                    api.warm_up().await;
                }
            }
            let operator = Arc::new(Operator { config, plan, part, journal, live, way });
            operator.run().await;
            Ok(())
        })
    };
    thread::Builder::new().name("operator".into()).spawn(work).expect("a thread can be started")
}

/// Finds out before the run whether Muster's API is there and takes the key: by a command that is none, which it takes no further.
pub async fn ask(config: &Config) -> anyhow::Result<()> {
    for uri in config.api.iter().filter(|_| config.target == Target::Muster) {
        let api = Api::new(uri.clone(), config.key.clone());
        let (status, answer) = api.post("/v1/commands", String::new).await.map_err(|trouble| match trouble {
            Trouble::Unsent(error) | Trouble::Unanswered(error) => error.context(format!("--api {uri}")),
        })?;
        if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
            let answer = String::from_utf8_lossy(&answer);
            anyhow::bail!("--key (or MUSTER_KEY) is refused: {status}: {answer}");
        }
    }
    Ok(())
}

async fn way(config: &Config) -> anyhow::Result<Way> {
    let api = |uri: &hyper::Uri| Arc::new(Api::new(uri.clone(), config.key.clone()));
    Ok(match (config.target, &config.post) {
        (Target::Muster, _) => Way::Http(config.api.iter().map(api).collect()),
        (Target::Raw, Some(post)) => Way::Http(vec![api(post)]),
        (Target::Raw, None) => Way::Line(Publisher::start(&config.line).await?),
    })
}

impl Operator {
    async fn run(self: &Arc<Self>) {
        let mut posts = JoinSet::new();
        let free = Arc::new(Semaphore::new(if self.config.closed > 0 { self.config.closed } else { usize::MAX >> 3 }));
        let mut due = pacer::start(self.journal.clock, self.due());
        while let Some(message) = due.recv().await {
            // Open loop: there is always one. Closed: the schedule waits, which is what is wrong with it.
            let permit = free.clone().acquire_owned().await;
            let operator = self.clone();
            posts.spawn(async move {
                operator.send(message).await;
                drop(permit);
            });
            while posts.try_join_next().is_some() {}
        }
        let rest = async { while posts.join_next().await.is_some() {} };
        let _ = tokio::time::timeout_at(self.journal.clock.instant(self.plan.last), rest).await;
    }

    /// A closed loop knows no schedule: each is due as soon as there is a sender.
    fn due(&self) -> Vec<(usize, Nanos)> {
        let mine = self.plan.messages.iter().enumerate().filter(|(number, _)| self.part.has(*number));
        let begin = self.plan.begin;
        mine.map(|(number, message)| (number, if self.config.closed > 0 { begin } else { message.due })).collect()
    }

    async fn send(self: &Arc<Self>, message: usize) {
        let mut at = 0;
        let (fate, via, id) = match &self.way {
            Way::Http(apis) => {
                let via = scattered(message) % apis.len();
                let (fate, id) = self.post(&apis[via], message, &mut at).await;
                (fate, via, id.map(|id| (apis[via].clone(), id)))
            }
            Way::Line(publisher) => {
                at = self.journal.clock.now();
                (publisher.publish(self.text(message, at)).await, 0, None)
            }
        };
        if !matches!(fate, SendOutcome::Unsent(_)) {
            self.live.sent.fetch_add(1, Relaxed);
        }
        let answered = self.journal.clock.now();
        *self.journal.sent(message) = Some(Sent { at, answered, fate, via, acked: None, done: None });
        if let Some((api, id)) = id {
            let until = self.plan.messages[message].due + nanos(self.config.grace);
            follow::follow(api, message, id, until.min(self.plan.last), self.journal.clone()).await;
        }
    }

    /// What became of it; for a message to one terminal also the id by which it is followed.
    async fn post(&self, api: &Api, message: usize, at: &mut Nanos) -> (SendOutcome, Option<String>) {
        let path = if self.config.target == Target::Muster { "/v1/commands" } else { "" };
        let body = || {
            *at = self.journal.clock.now();
            self.body(message, *at)
        };
        match api.post(path, body).await {
            Ok((status, answer)) if accepted(status, self.config.target) => {
                let targeted = self.plan.messages[message].to.is_some();
                let id = serde_json::from_slice::<Accepted>(&answer).ok().filter(|_| targeted);
                (SendOutcome::Accepted, id.map(|accepted| accepted.id))
            }
            Ok((status, answer)) => (refusal(status, &String::from_utf8_lossy(&answer)), None),
            Err(Trouble::Unsent(error)) => {
                *at = self.journal.clock.now();
                (unreached(&error), None)
            }
            Err(Trouble::Unanswered(error)) => (SendOutcome::Unknown(format!("{error:#}")), None),
        }
    }

    fn body(&self, message: usize, at: Nanos) -> String {
        let text = self.text(message, at);
        if self.config.target == Target::Raw {
            return text;
        }
        let (target, confirm) = match self.plan.messages[message].to {
            Some(terminal) => (format!(r#"{{"terminal":"{}"}}"#, self.part.id(terminal as usize)), "result"),
            None if self.config.acks == Acks::All => (r#"{"all":true}"#.to_owned(), "ack"),
            None => (r#"{"all":true}"#.to_owned(), "none"),
        };
        format!(r#"{{"target":{target},"name":"load","confirm":"{confirm}","payload":"{text}"}}"#)
    }

    fn text(&self, number: usize, at: Nanos) -> String {
        let message = self.plan.messages[number];
        let zero = self.journal.clock.zero();
        let header = Header {
            run: self.part.run,
            publisher: self.part.rest as u32,
            seq: number as u64,
            due: zero + message.due,
            sent: zero + at,
            flags: if message.to.is_some() { TARGETED } else { 0 },
        };
        message::encode(&header, self.config.payload)
    }
}

/// A number that does not keep step with a plan in which every sixth message, say, goes to all.
fn scattered(number: usize) -> usize {
    (crc32c::crc32c(&number.to_le_bytes()) >> 8) as usize
}

/// Muster says 202 once Redis has it; any other server says yes in its own way.
fn accepted(status: StatusCode, target: Target) -> bool {
    if target == Target::Muster { status == StatusCode::ACCEPTED } else { status.is_success() }
}

/// A message that never left. A server that can't be reached refuses it; a limit of this machine is not the server's.
fn unreached(error: &anyhow::Error) -> SendOutcome {
    let why = format!("{error:#}");
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    let ours = [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM];
    match causes.any(|cause| Errno::from_io_error(cause).is_some_and(|errno| ours.contains(&errno))) {
        true => SendOutcome::Unsent(why),
        false => SendOutcome::Refused(why),
    }
}

/// A server that failed, or a proxy that lost its server, may have taken the message all the same.
fn refusal(status: StatusCode, answer: &str) -> SendOutcome {
    let why = format!("{status}: {answer}");
    match status.as_u16() {
        500 | 502 | 504 => SendOutcome::Unknown(why),
        _ => SendOutcome::Refused(why),
    }
}
