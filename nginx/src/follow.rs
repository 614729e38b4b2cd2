//! The sidecar's loop: look at the leases, decide, apply. The set that is served changes only by [`membership::next`], and only when
//! [`Pace`] says that it is time.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Instant};

use serde_json::json;
use tokio::time::{self, MissedTickBehavior};

use crate::{
    config::Config,
    generations::Generations,
    leases::{Leases, Look},
    membership::{self, Members, Verdict},
    pace::{Pace, Urgency, Wait},
    ports::Ports,
    probe::Probes,
    retire::Retire,
    rollout::{Outcome, Rollout},
    status::{Lingering, Status},
    trust::Trust,
    workers::Worker,
};

/// Looks between two looks at the workers: walking /proc costs more than asking Redis.
const WORKERS_EVERY: u32 = 10;
/// Fewer nodes than this in the file, and than half of those there are, and a new one is urgent.
const FEW: usize = 3;

/// What is served, and all that decides what will be.
pub struct Follow {
    leases: Leases,
    trust: Trust,
    probes: Probes,
    pace: Pace,
    retire: Retire,
    rollout: Rollout,
    status: Arc<Status>,
    served: Members,
    /// Who was last seen to drain: its end is no death.
    draining: Members,
    kept: Members,
    waits: Option<(Members, Wait)>,
    lingering: Vec<Worker>,
    most: usize,
    steps: u32,
}

/// Follows the nodes until `stop` is ready. `ready` is called once Nginx serves.
pub async fn run(
    config: Config,
    status: Arc<Status>,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let ports = Ports::settle(&config.dir, config.listen)?;
    let poll = config.poll;
    let mut follow = Follow::start(config, ports, status).await?;
    ready(ports.listen);
    let mut beat = time::interval(poll);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            () = follow.rollout.nginx.ended() => follow.revive().await,
            _ = beat.tick() => follow.step().await,
        }
    }
    follow.rollout.nginx.stop().await;
    tracing::info!("stopped");
    Ok(())
}

impl Follow {
    async fn start(config: Config, ports: Ports, status: Arc<Status>) -> anyhow::Result<Self> {
        let mut leases = Leases::new(config.redis()?, config.allow.clone())?;
        let now = Instant::now();
        let inherits = Generations::new(&config.dir)?.current().is_some();
        let look = leases.first(inherits).await?.unwrap_or_default();
        let (rollout, served) = Rollout::start(config.clone(), ports, &look.leased).await?;
        let mut trust = Trust::new(served != look.leased, now);
        if !look.run_id.is_empty() {
            trust.read(&look, now);
        }
        decided(json!({ "decision": "start", "generation": rollout.generation(), "nodes": served }));
        Ok(Self {
            leases,
            trust,
            probes: Probes::default(),
            pace: Pace::new(&config, now),
            retire: Retire::new(&config),
            rollout,
            status,
            served,
            draining: look.draining,
            kept: Members::new(),
            waits: None,
            lingering: Vec::new(),
            most: config.lingering,
            steps: 0,
        })
    }

    async fn step(&mut self) {
        if self.steps.is_multiple_of(WORKERS_EVERY) {
            self.see_to_workers().await;
        }
        self.steps = self.steps.wrapping_add(1);
        let Some(look) = self.look().await else { return self.show(&Look::default(), &Verdict::default()) };
        let gone: Members = self.served.difference(&look.leased).copied().collect();
        let dead = self.probes.round(&gone, self.served.len()).await;
        let verdict = membership::next(&self.served, &look.leased, &dead, self.trust.frozen(Instant::now()));
        self.count_kept(&verdict.kept);
        if verdict.next == self.served {
            self.pace.settle();
            self.waits = None;
        } else {
            self.consider(&verdict.next).await;
        }
        self.show(&look, &verdict);
    }

    /// The leases, or none while Redis is away: then nothing changes.
    async fn look(&mut self) -> Option<Look> {
        let read = self.leases.read().await;
        let now = Instant::now();
        let look = match read {
            Ok(look) => look,
            Err(error) => {
                if self.trust.failed(now) {
                    tracing::warn!(%error, "Redis is away");
                    decided(json!({ "decision": "freeze", "reason": "away", "nodes": self.served }));
                }
                return None;
            }
        };
        if let Some(why) = self.trust.read(&look, now) {
            decided(json!({ "decision": "freeze", "reason": why, "nodes": self.served, "leased": look.leased }));
        }
        self.draining = self.draining.difference(&look.leased).chain(&look.draining).copied().collect();
        Some(look)
    }

    /// Applies a set if it is time to.
    async fn consider(&mut self, next: &Members) {
        if self.rollout.quarantined(next) {
            return;
        }
        let (urgency, reason) = self.urgency(next);
        let crowded = self.lingering.len() >= self.most;
        match self.pace.due(next, urgency, crowded, Instant::now()) {
            Ok(()) => self.apply(next, reason).await,
            Err(why) => self.wait(next, why),
        }
    }

    fn urgency(&self, next: &Members) -> (Urgency, &'static str) {
        let died = self.served.difference(next).any(|node| !self.draining.contains(node));
        let few = self.served.len() < FEW.min(next.len().div_ceil(2));
        match () {
            () if self.served.is_empty() => (Urgency::Now, "first"),
            () if died => (Urgency::Urgent, "died"),
            () if few => (Urgency::Urgent, "few"),
            () if self.served.is_subset(next) => (Urgency::Lazy, "joined"),
            () => (Urgency::Lazy, "left"),
        }
    }

    async fn apply(&mut self, next: &Members, reason: &'static str) {
        let (joined, left): (Vec<_>, Vec<_>) =
            (next.difference(&self.served).collect(), self.served.difference(next).collect());
        let began = Instant::now();
        let outcome = self.rollout.apply(next).await;
        let seconds = began.elapsed().as_secs_f64();
        self.status.metrics.reloads.with_label_values(&[reason, outcome.label()]).inc();
        decided(json!({
            "decision": "reload", "reason": reason, "result": outcome.label(), "generation": self.rollout.generation(),
            "seconds": (seconds * 1000.0).round() / 1000.0, "joined": joined, "left": left, "nodes": next.len(),
        }));
        self.waits = None;
        match outcome {
            Outcome::Confirmed => {
                self.status.metrics.confirm_seconds.set(seconds);
                self.served.clone_from(next);
                self.draining.retain(|node| next.contains(node));
                // The workers before are old ones now.
                self.lingering = self.see_lingering();
            }
            Outcome::Refused(error) | Outcome::RolledBack(error) => tracing::error!("not applied: {error:#}"),
        }
    }

    /// A change that waits is worth one line and one count.
    fn wait(&mut self, next: &Members, why: Wait) {
        if self.waits.as_ref().is_some_and(|(set, before)| set == next && *before == why) {
            return;
        }
        self.waits = Some((next.clone(), why));
        self.status.metrics.suppressed.with_label_values(&[why.label()]).inc();
        let (joined, left): (Vec<_>, Vec<_>) =
            (next.difference(&self.served).collect(), self.served.difference(next).collect());
        decided(json!({ "decision": "wait", "why": why.label(), "joined": joined, "left": left }));
    }

    fn count_kept(&mut self, kept: &Members) {
        let new: Vec<_> = kept.difference(&self.kept).collect();
        if !new.is_empty() {
            self.status.metrics.disagreements.inc_by(new.len() as u64);
            decided(json!({ "decision": "keep", "reason": "no lease, but it answers", "nodes": new }));
        }
        self.kept.clone_from(kept);
    }

    async fn see_to_workers(&mut self) {
        self.lingering = self.see_lingering();
        self.retire.step(&self.lingering, &mut self.leases).await;
    }

    fn see_lingering(&self) -> Vec<Worker> {
        self.rollout.nginx.ours().list().into_iter().filter(|worker| worker.lingering).collect()
    }

    async fn revive(&mut self) {
        tracing::warn!("Nginx ended; bringing it back");
        match self.rollout.bring_back().await {
            Ok(()) => decided(json!({ "decision": "revive", "generation": self.rollout.generation() })),
            Err(error) => {
                tracing::error!("Nginx could not be brought back: {error:#}");
                time::sleep(time::Duration::from_millis(500)).await;
            }
        }
    }

    fn show(&self, look: &Look, verdict: &Verdict) {
        let now = Instant::now();
        let retired = &self.status.metrics.retired;
        let steps =
            [("asked", self.retire.asked_total), ("done", self.retire.done_total), ("cut", self.retire.cut_total)];
        for (step, total) in steps {
            let counter = retired.with_label_values(&[step]);
            counter.inc_by(total - counter.get());
        }
        for (reason, total) in &self.leases.refused {
            let counter = self.status.metrics.refused.with_label_values(&[reason]);
            counter.inc_by(total - counter.get());
        }
        self.status.update(|state| {
            state.generation = self.rollout.generation();
            state.served = self.served.iter().copied().collect();
            state.redis_up = self.trust.up();
            state.redis_age_seconds = self.trust.age(now).as_secs_f64();
            state.frozen = self.trust.frozen(now);
            state.waits = self.waits.as_ref().map(|(_, why)| why.label());
            if self.trust.up() {
                state.leased = look.leased.iter().copied().collect();
                state.kept = verdict.kept.iter().copied().collect();
                state.withheld = verdict.withheld.iter().copied().collect();
            }
            if self.steps % WORKERS_EVERY == 1 || state.lingering.len() != self.lingering.len() {
                state.lingering = self.lingering.iter().map(shown).collect();
            }
        });
    }
}

fn shown(worker: &Worker) -> Lingering {
    Lingering { pid: worker.pid, age: worker.age(), sockets: worker.sockets(), bytes: worker.memory() }
}

/// One line for each decision, for machines: what people read is the log.
fn decided(decision: serde_json::Value) {
    println!("{decision}");
}
