//! The sidecar's loop: look at the leases, decide, apply. The set that is served changes only by [`membership::next`], and only when
//! [`ReloadPacing`] says that it is time; by DNS at once.

mod apply;
mod show;
mod upkeep;

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Instant};

use serde_json::json;
use tokio::time::{self, MissedTickBehavior};

use crate::{
    config::Config,
    dns::DnsServer,
    generations::Generations,
    leases::{LeaseReader, RegistrySnapshot},
    membership::{self, Members, MembershipDecision},
    output::print_line,
    ports::Ports,
    probe::Probes,
    registry_trust::RegistryTrust,
    reload_pacing::{ReloadDelay, ReloadPacing},
    resolve,
    retirement::WorkerRetirement,
    retry::RetryDelay,
    rollout::Rollout,
    start,
    status::StatusServer,
    workers::NginxWorker,
};

/// Looks between two looks at the workers and the certificate: walking /proc costs more than asking Redis.
const WORKERS_EVERY: u32 = 10;

/// What is served, and all that decides what will be.
pub struct Reconcile {
    config: Config,
    leases: LeaseReader,
    trust: RegistryTrust,
    probes: Probes,
    pace: ReloadPacing,
    retire: WorkerRetirement,
    rollout: Rollout,
    /// Tells Nginx of the nodes, if it asks.
    dns: Option<Arc<DnsServer>>,
    status: Arc<StatusServer>,
    served: Members,
    /// Who was last seen to drain: its end is no death.
    draining: Members,
    kept: Members,
    waits: Option<(Members, ReloadDelay)>,
    /// What became of the last attempt at a change that is still wanted.
    failure: Option<Failure>,
    lingering: Vec<NginxWorker>,
    steps: u32,
}

/// A change that was tried and is not served.
struct Failure {
    retry: RetryDelay<Members>,
    /// The outcome's label.
    result: &'static str,
    error: String,
}

/// Follows the nodes until `stop` is ready; when it is so again, without manners. `ready` is called once Nginx serves.
pub async fn run(
    config: Config,
    status: Arc<StatusServer>,
    ready: impl FnOnce(SocketAddr),
    mut stop: impl AsyncFnMut(),
) -> anyhow::Result<()> {
    let mut ports = Ports::settle(&config.dir, config.listen, resolve::by_dns(&config).await?)?;
    ports.keep(&config.dir)?;
    let dns = resolve::serve(&mut ports, &config, &status).await?;
    let poll = config.poll;
    let mut follow = Reconcile::start(config, ports, dns, status).await?;
    ready(ports.listen);
    let mut beat = time::interval(poll);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = 0;
    while heard == 0 {
        heard = tokio::select! {
            () = stop() => 1,
            // To be dropped halfway: one of its own is to end, and another is not touched.
            () = follow.rollout.nginx.ended(), if !follow.rollout.nginx.is_away() => unless(&mut stop, 1, follow.ended()).await,
            // A reload is confirmed or put back, unless there is no time for that.
            _ = beat.tick() => unless(&mut stop, 2, follow.step()).await,
        };
    }
    let again = async {
        if heard < 2 {
            stop().await;
        }
    };
    follow.end(again).await;
    tracing::info!("stopped");
    Ok(())
}

/// Does this, unless `stop` is heard so many times before it is done. How often it was.
async fn unless(stop: &mut impl AsyncFnMut(), times: u32, work: impl Future<Output = ()>) -> u32 {
    let mut work = pin!(work);
    for heard in 0..times {
        tokio::select! {
            () = &mut work => return heard,
            () = stop() => {}
        }
    }
    times
}

impl Reconcile {
    async fn start(
        config: Config,
        ports: Ports,
        dns: Option<Arc<DnsServer>>,
        status: Arc<StatusServer>,
    ) -> anyhow::Result<Self> {
        let mut leases = LeaseReader::new(config.redis()?, &config.cluster, config.allow.clone())?;
        let now = Instant::now();
        let inherits = Generations::new(&config.dir)?.current().is_some();
        let look = leases.first(inherits).await?.unwrap_or_default();
        let (rollout, served) = start::start(config.clone(), ports, &look.leased).await?;
        let mut trust = RegistryTrust::new(served != look.leased, now);
        if !look.run_id.is_empty() {
            trust.read(&look, now);
        }
        decided(
            json!({ "decision": "start", "generation": rollout.generation(), "resolver": ports.resolver, "nodes": served }),
        );
        Ok(Self {
            leases,
            trust,
            probes: Probes::default(),
            pace: ReloadPacing::new(&config, now),
            retire: WorkerRetirement::new(&config),
            config,
            rollout,
            dns,
            status,
            served,
            draining: look.draining,
            kept: Members::new(),
            waits: None,
            failure: None,
            lingering: Vec::new(),
            steps: 0,
        })
    }

    async fn step(&mut self) {
        if self.rollout.nginx.is_away() {
            self.revive().await;
        }
        if self.steps.is_multiple_of(WORKERS_EVERY) {
            self.see_to_workers().await;
            self.renew_own_files().await;
            self.remember_again();
        }
        self.steps = self.steps.wrapping_add(1);
        let look = self.look().await;
        self.tell_known();
        let Some(look) = look else { return self.show(&RegistrySnapshot::default(), &MembershipDecision::default()) };
        let gone: Members = self.served.difference(&look.leased).copied().collect();
        let dead = self.probes.round(&gone, self.served.len()).await;
        let verdict = membership::next(&self.served, &look.leased, &dead, self.trust.frozen(Instant::now()));
        self.count_kept(&verdict.kept);
        if verdict.next == self.served {
            self.pace.settle();
            self.waits = None;
            self.failure = None;
        } else {
            self.consider(&verdict.next).await;
        }
        self.show(&look, &verdict);
    }

    /// The leases, or none while Redis is away: then nothing changes.
    async fn look(&mut self) -> Option<RegistrySnapshot> {
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

    /// What Nginx is told until there is a change: those that it serves; while Redis is away, that nobody can say who they are, on
    /// which it keeps them.
    fn tell_known(&self) {
        if let Some(dns) = &self.dns {
            dns.tell(self.trust.up().then_some(&self.served));
        }
    }

    fn count_kept(&mut self, kept: &Members) {
        let new: Vec<_> = kept.difference(&self.kept).collect();
        if !new.is_empty() {
            self.status.metrics.disagreements.inc_by(new.len() as u64);
            decided(json!({ "decision": "keep", "reason": "no lease, but it answers", "nodes": new }));
        }
        self.kept.clone_from(kept);
    }
}

/// One line for each decision, for machines: what people read is the log.
fn decided(decision: serde_json::Value) {
    print_line(decision);
}
