//! A node: a backplane and the sessions that it delivers to.

use std::sync::{Arc, Mutex, atomic::Ordering};

use clap::Parser;
use jiff::Timestamp;
use muster_node::{
    backplane::{Backplane, Host, JoinOutcome, JoinRequest, REPORT_INTERVAL, ResumePoint, encode},
    config::Config,
    end::SessionEnd,
    fence::Fences,
    hub::{Hub, Lifecycle, SessionAddr},
    metrics::Metrics,
    reports::Reports,
};
use muster_protocol::{
    Payload,
    api::{NodeState, NodeView, Protocol},
    partition::Partitions,
};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    clock::StillClock,
    sessions::{Delivered, Job, Sessions},
};

pub struct ModelNode {
    pub backplane: Arc<dyn Backplane>,
    pub sessions: Arc<Sessions>,
    pub reports: Arc<Reports>,
    pub hub: Arc<Hub>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

/// What a node has before it has a backplane.
pub struct Parts {
    pub sessions: Arc<Sessions>,
    pub reports: Arc<Reports>,
    pub hub: Arc<Hub>,
    pub jobs: mpsc::UnboundedReceiver<Job>,
}

impl Parts {
    pub fn new(received: &Arc<Mutex<Delivered>>) -> Self {
        let (hub, reports) = (Arc::<Hub>::default(), Arc::<Reports>::default());
        let (sessions, jobs) = Sessions::new(hub.clone(), reports.clone(), received.clone());
        Self { sessions, reports, hub, jobs }
    }
}

/// The configuration of a node with these flags.
pub fn config(flags: &[&str]) -> Config {
    Flags::parse_from(["muster-node", "--insecure", "--ping", "1h"].iter().chain(flags)).config
}

pub fn host(id: &str, parts: &Parts, partitions: Partitions, clock: Arc<StillClock>) -> Host {
    let Parts { sessions, reports, hub, .. } = parts;
    Host {
        view: NodeView {
            id: id.parse().unwrap(),
            address: "127.0.0.1:1".into(),
            state: NodeState::Ready,
            sessions: 0,
            accepts: 1000,
            renewed_at: None,
            version: "0".into(),
            started_at: Timestamp::now(),
            partitions: None,
            foreign: 0,
            refused: None,
        },
        hub: hub.clone(),
        fences: Arc::new(Fences::new(partitions)),
        lifecycle: Arc::new(Lifecycle::default()),
        sessions: sessions.clone(),
        reports: reports.clone(),
        report_interval: REPORT_INTERVAL / 25,
        clock,
        metrics: Arc::new(Metrics::new()),
    }
}

impl ModelNode {
    /// Runs a backplane and does what the sessions ask of it.
    pub fn start(backplane: Arc<dyn Backplane>, parts: Parts) -> Self {
        let Parts { sessions, reports, hub, mut jobs } = parts;
        let (runs, does, asked) = (backplane.clone(), backplane.clone(), sessions.clone());
        let tasks = vec![
            tokio::spawn(async move { runs.run().await }),
            tokio::spawn(async move {
                while let Some(job) = jobs.recv().await {
                    do_job(&*does, &asked, job).await;
                    asked.pending.fetch_sub(1, Ordering::SeqCst);
                }
            }),
        ];
        Self { backplane, sessions, reports, hub, tasks }
    }

    /// Stops everything at once.
    pub fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }

    /// Connects a terminal. Returns the outcome in words.
    pub async fn join(&self, request: JoinRequest) -> String {
        let info = request.info.clone();
        let addr = SessionAddr { shard: 0, key: 0, session: info.session };
        self.hub.insert(info.clone(), addr);
        let older = self.sessions.insert(info.clone(), request.will.clone());
        let answer = register(&*self.backplane, &self.sessions, request).await;
        if let Some(older) = older {
            self.sessions.ask(Job::Leave(older, SessionEnd::Replaced));
        }
        answer
    }
}

async fn do_job(backplane: &dyn Backplane, sessions: &Sessions, job: Job) {
    match job {
        Job::Leave(info, end) => backplane.leave(&info, end.into()).await,
        Job::Rejoin(terminal, session) => {
            let request = sessions.live().get(&terminal).filter(|live| live.info.session == session).map(again);
            if let Some(request) = request {
                register(backplane, sessions, request).await;
            }
        }
    }
}

/// What a session that was registered registers with again.
fn again(live: &crate::sessions::Live) -> JoinRequest {
    let mut cursor = live.cursor.clone();
    if let Some(cursor) = &mut cursor {
        cursor.number = live.received_up_to;
    }
    let again = cursor.is_some();
    JoinRequest { info: live.info.clone(), will: live.will.clone(), cursor, again, patient: false }
}

/// Registers a session and gives it what it missed.
async fn register(backplane: &dyn Backplane, sessions: &Sessions, mut request: JoinRequest) -> String {
    let terminal = request.info.terminal.clone();
    let mut waited = String::new();
    loop {
        match backplane.join(&request).await {
            JoinOutcome::In(start) => {
                resume(backplane, sessions, &request, start).await;
                return format!("{waited}in");
            }
            JoinOutcome::Contested(delay) => {
                waited = format!("after {} ms ", delay.as_millis());
                request.patient = true;
            }
            JoinOutcome::Ended(end) => {
                sessions.end(&terminal, Some(request.info.session), end);
                return "ended".into();
            }
            JoinOutcome::Away => {
                let number = sessions.live().get(&terminal).map_or(0, |live| live.received_up_to);
                sessions.release(&terminal, number);
                return "away".into();
            }
        }
    }
}

async fn resume(backplane: &dyn Backplane, sessions: &Sessions, request: &JoinRequest, start: ResumePoint) {
    let terminal = &request.info.terminal;
    if start.lost.is_some() && request.cursor.is_some() && request.info.protocol == Protocol::V1 {
        sessions.gap(terminal);
    }
    if let Some(live) = sessions.live().get_mut(terminal) {
        live.cursor = Some(start.cursor.clone());
    }
    sessions.given(terminal, start.before(), request.again);
    let ids: Vec<_> = start.missed.iter().map(|missed| missed.command).collect();
    let frames = backplane.frames(terminal, &ids).await.unwrap_or_else(|error| panic!("frames: {error}"));
    for (missed, frame) in start.missed.iter().zip(frames) {
        let Some(frame) = frame else { continue };
        let place = muster_node::backplane::Cursor { epoch: start.cursor.epoch.clone(), number: missed.number };
        sessions.send_missed(terminal, &encode(Default::default(), frame, &place, missed.to_all), missed.to_all);
    }
    sessions.release(terminal, start.cursor.number);
}

/// A will.
pub fn will() -> Payload {
    Payload::from_text("gone")
}
