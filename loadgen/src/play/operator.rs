//! Sends each message at its due time, whatever happened to earlier messages. The operator runs on its own thread
//! with its own runtime, so that a busy fleet does not delay the schedule against which the cluster is measured.

use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use anyhow::anyhow;
use hyper::StatusCode;
use rustix::io::Errno;
use serde::Deserialize;
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use super::{
    LiveCounters, ProgramPipe,
    api::{Api, RequestError},
    command_poll, pacer,
    publisher::Publisher,
    redis_publisher::RedisPublisher,
    tls_check,
};
use crate::{
    clock::{Nanos, SECOND, nanos},
    config::{Acks, Config, SendBy, ServerKind},
    journal::{Journal, SendOutcome, Sent},
    message::{self, Header, TARGETED},
    plan::{Partition, Plan},
};

/// How long the API may take to answer before the run.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a message waits for its answer, or twice the grace if that is longer. Its outcome is then unknown.
const ANSWER: Duration = Duration::from_secs(30);

/// How messages are sent to the server.
enum SendPath {
    /// By `POST /v1/commands` to Muster's API, or by posting a body with the message to another server's URL.
    Http(Vec<Arc<Api>>),
    /// Over a WebSocket connection of the operator's own.
    Line(Publisher),
    /// By PUBLISH in Redis.
    Redis(RedisPublisher),
}

/// The state that all send tasks share.
struct Operator {
    config: Config,
    plan: Arc<Plan>,
    partition: Partition,
    journal: Arc<Journal>,
    live: Arc<LiveCounters>,
    way: SendPath,
}

#[derive(Deserialize)]
struct AcceptedCommand {
    id: String,
}

/// Starts a thread that sends the messages of this part, by `program` if there is one. The thread ends when the last response was received, or at
/// the end of the plan, whichever is first. Fails if the sending connection can't be set up.
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
            let way = way(&config, partition, program.as_ref()).await?;
            if let SendPath::Http(apis) = &way {
                journal.clock.wait_until(plan.begin.saturating_sub(SECOND / 4)).await;
                for api in apis {
                    api.warm_up().await;
                }
            }
            let operator = Arc::new(Operator { config, plan, partition, journal, live, way });
            operator.run().await;
            Ok(())
        })
    };
    thread::Builder::new().name("operator".into()).spawn(work).expect("a thread can be started")
}

/// Checks before the run that Muster's API is reachable and accepts the key. The check posts an empty body, which
/// the API refuses as a command after it has checked the key, so no command is created. Fails if the API can't be
/// reached, does not answer within [`PATIENCE`], or refuses the key. Does nothing for a raw target.
pub async fn ask(config: &Config) -> anyhow::Result<()> {
    for uri in config.api.iter().filter(|_| config.server() == ServerKind::Muster) {
        let api = Api::new(uri, config)?;
        let asked = timeout(PATIENCE, api.post("/v1/commands", String::new)).await;
        // A node answers 400 with a JSON object. A server of TLS answers something else, or not at all.
        if !matches!(&asked, Ok(Ok((status, body))) if *status != StatusCode::BAD_REQUEST || body.starts_with(b"{")) {
            tls_check::not_tls("--api", uri).await?;
        }
        let answered =
            asked.map_err(|_| anyhow!("--api {uri} did not answer within {PATIENCE:?}: is it a node's API?"))?;
        let (status, answer) = answered.map_err(|trouble| match trouble {
            RequestError::Unsent(error) | RequestError::Unanswered(error) => error.context(format!("--api {uri}")),
        })?;
        if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
            let answer = String::from_utf8_lossy(&answer);
            anyhow::bail!("--key (or MUSTER_KEY) is refused: {status}: {answer}");
        }
    }
    Ok(())
}

async fn way(config: &Config, partition: Partition, program: Option<&ProgramPipe>) -> anyhow::Result<SendPath> {
    let api = |uri: &hyper::Uri| Api::new(uri, config).map(Arc::new);
    if config.server() == ServerKind::Muster {
        return Ok(SendPath::Http(config.api.iter().map(api).collect::<Result<_, _>>()?));
    }
    Ok(match (&config.send.send_by, config.posts_to()) {
        (Some(SendBy::Redis(address, channel, _)), _) => {
            SendPath::Redis(RedisPublisher::new(address.clone(), channel.clone()))
        }
        (_, Some(post)) => SendPath::Http(vec![api(post)?]),
        (_, None) => SendPath::Line(Publisher::start(config, partition, program).await?),
    })
}

impl Operator {
    async fn run(self: &Arc<Self>) {
        let mut posts = JoinSet::new();
        let free = Arc::new(Semaphore::new(if self.config.closed > 0 { self.config.closed } else { usize::MAX >> 3 }));
        let mut due = pacer::start(self.journal.clock, self.due());
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
        let _ = tokio::time::timeout_at(self.journal.clock.instant(self.plan.last), rest).await;
    }

    /// Returns the messages of this part with their due times. A closed loop has no schedule: each message is due at
    /// the beginning and is sent as soon as a sender is free.
    fn due(&self) -> Vec<(usize, Nanos)> {
        let mine = self.plan.messages.iter().enumerate().filter(|(number, _)| self.partition.has(*number));
        let begin = self.plan.begin;
        mine.map(|(number, message)| (number, if self.config.closed > 0 { begin } else { message.due })).collect()
    }

    async fn send(self: &Arc<Self>, message: usize) {
        let mut at = 0;
        let (fate, endpoint, id) = match &self.way {
            SendPath::Http(apis) => {
                let endpoint = scattered(message) % apis.len();
                let (fate, id) = self.post(&apis[endpoint], endpoint, message, &mut at).await;
                (fate, endpoint, id.map(|id| (apis[endpoint].clone(), id)))
            }
            SendPath::Line(publisher) => {
                at = self.begins(message);
                (within(self.limit(), publisher.publish(self.body(message, at), message as u32)).await, 0, None)
            }
            SendPath::Redis(publisher) => {
                at = self.begins(message);
                (within(self.limit(), publisher.publish(self.body(message, at))).await, 0, None)
            }
        };
        match fate {
            SendOutcome::Unsent(_) => drop(self.live.unsent.fetch_add(1, Relaxed)),
            _ if self.config.closed > 0 => self.live.left(0),
            _ => self.live.left(at.saturating_sub(self.plan.messages[message].due)),
        }
        let answered = self.journal.clock.now();
        *self.journal.sent(message) = Some(Sent { at, answered, fate, endpoint, acked: None, done: None });
        if let Some((api, id)) = id {
            let until = self.plan.messages[message].due + nanos(self.config.grace);
            command_poll::poll(api, message, id, until.min(self.plan.last), self.journal.clone()).await;
        }
    }

    /// Posts a message and writes the time of sending to `at`. Returns the outcome and, for a message to one
    /// terminal, the command id with which the API is polled.
    async fn post(&self, api: &Api, endpoint: usize, message: usize, at: &mut Nanos) -> (SendOutcome, Option<String>) {
        let path = if self.config.server() == ServerKind::Muster { "/v1/commands" } else { "" };
        let body = || {
            *at = self.journal.clock.now();
            self.leaves(message, *at, endpoint);
            self.body(message, *at)
        };
        let limit = self.limit();
        let answered = timeout(limit, api.post(path, body)).await;
        let answered = answered.unwrap_or_else(|_| match *at {
            0 => Err(RequestError::Unsent(anyhow!("no connection within {limit:?}"))),
            _ => Err(RequestError::Unanswered(anyhow!("no answer within {limit:?}"))),
        });
        match answered {
            Ok((status, answer)) if accepted(status, self.config.server()) => {
                let targeted = self.plan.messages[message].to.is_some();
                let id = serde_json::from_slice::<AcceptedCommand>(&answer).ok().filter(|_| targeted);
                (SendOutcome::Accepted, id.map(|accepted| accepted.id))
            }
            Ok((status, answer)) => (refusal(status, &String::from_utf8_lossy(&answer)), None),
            Err(RequestError::Unsent(error)) => {
                *at = self.journal.clock.now();
                (unreached(&error), None)
            }
            Err(RequestError::Unanswered(error)) => (SendOutcome::Unknown(format!("{error:#}")), None),
        }
    }

    /// Records that a message is about to be written by a connection of the generator's own, and returns when.
    fn begins(&self, message: usize) -> Nanos {
        let at = self.journal.clock.now();
        self.leaves(message, at, 0);
        at
    }

    /// How long a message waits for its answer.
    fn limit(&self) -> Duration {
        ANSWER.max(self.config.grace * 2)
    }

    /// Records that a message is about to be written. The record stays if the run ends before the answer: the server
    /// may deliver the message, and that must not count as a delivery of something that was never sent.
    fn leaves(&self, message: usize, at: Nanos, endpoint: usize) {
        let fate = SendOutcome::Unknown("no answer before the end of the run".into());
        *self.journal.sent(message) = Some(Sent { at, answered: Nanos::MAX, fate, endpoint, acked: None, done: None });
    }

    fn body(&self, message: usize, at: Nanos) -> String {
        let text = self.text(message, at);
        if self.config.server() == ServerKind::Raw {
            return match &self.config.send.send_by {
                Some(SendBy::Socket(body) | SendBy::Post(_, body) | SendBy::Redis(_, _, body)) => {
                    body.fill(|name| if name == "n" { message.to_string() } else { text.clone() })
                }
                _ => text,
            };
        }
        let (target, confirm) = match self.plan.messages[message].to {
            Some(terminal) => (format!(r#"{{"terminal":"{}"}}"#, self.partition.id(terminal as usize)), "result"),
            None if self.config.acks == Acks::All => (r#"{"all":true}"#.to_owned(), "ack"),
            None => (r#"{"all":true}"#.to_owned(), "none"),
        };
        format!(r#"{{"target":{target},"name":"load","confirm":"{confirm}","payload":"{text}"}}"#)
    }

    fn text(&self, number: usize, at: Nanos) -> String {
        let message = self.plan.messages[number];
        let zero = self.journal.clock.zero();
        let header = Header {
            run: self.partition.run,
            publisher: self.partition.rest as u32,
            seq: number as u64,
            due: zero + message.due,
            sent: zero + at,
            flags: if message.to.is_some() { TARGETED } else { 0 },
        };
        message::encode(&header, self.config.payload)
    }
}

/// Returns the outcome of a message, which is unknown if there is none within the limit.
async fn within(limit: Duration, sending: impl Future<Output = SendOutcome>) -> SendOutcome {
    let late = |_| SendOutcome::Unknown(format!("no answer within {limit:?}"));
    timeout(limit, sending).await.unwrap_or_else(late)
}

/// Returns a hash of `number` for the choice of an API endpoint. A plain modulo would correlate with the plan, for
/// example if every sixth message is a broadcast.
fn scattered(number: usize) -> usize {
    (crc32c::crc32c(&number.to_le_bytes()) >> 8) as usize
}

/// Returns true if the status means that the message was accepted: 202 for Muster, which it sends once Redis has
/// stored the command, and any 2xx status for another server.
fn accepted(status: StatusCode, target: ServerKind) -> bool {
    if target == ServerKind::Muster { status == StatusCode::ACCEPTED } else { status.is_success() }
}

/// Returns the outcome of a message that was not sent. A server that can't be reached counts as a refusal by the
/// server. A resource limit of this machine (descriptors, ports, memory) says nothing about the server and counts as
/// unsent.
fn unreached(error: &anyhow::Error) -> SendOutcome {
    let why = format!("{error:#}");
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    let ours = [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM];
    match causes.any(|cause| Errno::from_io_error(cause).is_some_and(|errno| ours.contains(&errno))) {
        true => SendOutcome::Unsent(why),
        false => SendOutcome::Refused(why),
    }
}

/// Returns the outcome for an error status. After 500, 502 or 504 the outcome is unknown: a server that failed, or a
/// proxy that lost its server, may have accepted the message.
fn refusal(status: StatusCode, answer: &str) -> SendOutcome {
    let why = format!("{status}: {answer}");
    match status.as_u16() {
        500 | 502 | 504 => SendOutcome::Unknown(why),
        _ => SendOutcome::Refused(why),
    }
}
