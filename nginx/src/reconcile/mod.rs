//! The loop of the sidecar: once per `--poll` it reads which nodes there are, decides, applies and reports.
//! [`membership::next`] alone decides which nodes are served. A change is applied when [`ReloadPacing`] says so, or at
//! once if Nginx learns of it by DNS.

mod apply;
mod reload;
mod show;
mod upkeep;

use std::{cmp::Ordering, net::SocketAddr, pin::pin, sync::Arc, time::Instant};

use jiff::Timestamp;
use muster_protocol::api::ConnectionUse;
use muster_service::{ServiceManager, Watchdog, output::print_line};
use serde_json::json;
use tokio::time::{self, MissedTickBehavior};

use crate::{
    activation::Activation,
    capacity::{self, DroppedConnections},
    config::Config,
    dns::DnsServer,
    error_answers,
    generations::Generations,
    leases::RegistrySnapshot,
    membership::{self, Members, MembershipDecision},
    ports::Ports,
    probe::Probes,
    registry_trust::RegistryTrust,
    reload_pacing::{ReloadDelay, ReloadPacing},
    report::ProxyReporter,
    resolve,
    retirement::WorkerRetirement,
    retry::RetryDelay,
    signals::{Signals, StopSignals},
    sources::NodeSource,
    start,
    status::StatusServer,
    terms::TermsCheck,
    workers::NginxWorker,
};

/// How many steps there are for each look at the workers and the operator's own files: to read /proc costs more than a
/// query to Redis.
const UPKEEP_EVERY: u32 = 10;
/// The text of an error is cut off after this many bytes. Nginx's own messages have a line or two.
const ERROR_MAX: usize = 1000;

/// The state of the loop.
pub struct Reconcile {
    config: Config,
    source: NodeSource,
    trust: RegistryTrust,
    probes: Probes,
    terms: TermsCheck,
    pace: ReloadPacing,
    retire: WorkerRetirement,
    activation: Activation,
    /// Answers Nginx's DNS queries. `None` if Nginx learns of nodes by reloads.
    dns: Option<Arc<DnsServer>>,
    status: Arc<StatusServer>,
    manager: ServiceManager,
    /// The last status line that the service manager got.
    told: String,
    served: Members,
    /// The nodes that drained when their lease was last seen. Such a node has not died when its lease is gone.
    draining: Members,
    unleased: Members,
    waits: Option<(Members, ReloadDelay)>,
    /// The last attempt at a change, if it failed and the change is still wanted.
    failure: Option<FailedChange>,
    lingering: Vec<NginxWorker>,
    dropped_connections: DroppedConnections,
    /// Whether a reload that the operator asked for waits, since there were many lately.
    reload_asked: bool,
    reporter: ProxyReporter,
    seen: SeenNginx,
    /// Why the nodes could not be read at the last attempt. `None` if they could.
    source_error: Option<String>,
    /// Why Redis is not what Muster needs, at the last check.
    redis_unfit: Option<String>,
    /// The number of partitions that did not answer at the last look.
    partitions_away: usize,
    steps: u32,
}

/// What was seen of Nginx at the last upkeep.
#[derive(Default)]
struct SeenNginx {
    generation: Option<u64>,
    connections: Option<ConnectionUse>,
    certificate_ends_at: Option<Timestamp>,
}

/// A change that failed.
struct FailedChange {
    retry: RetryDelay<Members>,
    /// The label of the outcome.
    result: &'static str,
    error: String,
}

/// Runs the loop until a signal asks this process to stop, and then stops Nginx. On a second such signal Nginx is
/// stopped at once and its sessions are cut. `ready` is called once Nginx serves. An error if the sidecar can't start.
pub async fn run(
    mut config: Config,
    status: Arc<StatusServer>,
    ready: impl FnOnce(SocketAddr),
    signals: Signals,
) -> anyhow::Result<()> {
    config.counts_connections = capacity::counts_connections(&config).await;
    let mut ports = Ports::choose(&config.dir, config.listen[0], resolve::by_dns(&config).await?)?;
    ports.keep(&config.dir)?;
    error_answers::count(&mut ports, &config.dir, &status.metrics.errors_answered);
    let dns = resolve::serve(&mut ports, &config, &status).await?;
    let poll = config.poll;
    let mut reconcile = Reconcile::start(config, ports, dns, status).await?;
    ready(ports.listen);
    reconcile.manager.ready(&reconcile.status_line());
    let Signals { mut stop, mut reload } = signals;
    let mut watchdog = Watchdog::from_environment();
    let mut ticks = time::interval(poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stops = 0;
    while stops == 0 {
        stops = tokio::select! {
            // A beat that is due comes before the next step, which may be a long one.
            biased;
            () = stop.received() => 1,
            // Between two steps, so that a step that hangs is noticed.
            () = watchdog.due() => {
                reconcile.manager.beat();
                0
            }
            // One signal interrupts the restart: an Nginx of the sidecar's own is to end anyway, and another one is not
            // touched.
            () = reconcile.activation.active.nginx.ended(), if !reconcile.activation.active.nginx.is_away() => unless(&mut stop, 1, reconcile.restart()).await,
            // After one signal a step goes on, so that a reload is confirmed or rolled back. A second signal interrupts
            // it.
            _ = ticks.tick() => unless(&mut stop, 2, reconcile.step()).await,
            () = reload.received() => unless(&mut stop, 2, reconcile.read_files_again()).await,
        };
    }
    let again = async {
        if stops < 2 {
            stop.received().await;
        }
    };
    reconcile.end(again).await;
    tracing::info!("stopped");
    Ok(())
}

/// Runs `work`, and drops it when a signal to stop has come `times` times. Returns how many times one came.
async fn unless(stop: &mut StopSignals, times: u32, work: impl Future<Output = ()>) -> u32 {
    let mut work = pin!(work);
    for stops in 0..times {
        tokio::select! {
            () = &mut work => return stops,
            () = stop.received() => {}
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
        let mut source = NodeSource::new(&config)?;
        let now = Instant::now();
        let inherits = Generations::new(&config.dir)?.current().is_some();
        let snapshot = source.first(inherits).await?.unwrap_or_default();
        let (activation, served) = start::start(config.clone(), ports, &snapshot.leased).await?;
        let mut trust = RegistryTrust::new(served != snapshot.leased, now);
        if snapshot.partitions > 0 {
            trust.read(&snapshot, now);
        }
        decided(
            json!({ "decision": "start", "generation": activation.active.number(), "resolver": ports.resolver, "nodes": served }),
        );
        Ok(Self {
            source,
            trust,
            probes: Probes::default(),
            terms: TermsCheck::new(&config),
            reporter: ProxyReporter::new(&config, ports.listen, now),
            seen: SeenNginx { generation: Some(activation.active.number()), ..SeenNginx::default() },
            pace: ReloadPacing::new(&config, now),
            retire: WorkerRetirement::new(&config),
            config,
            activation,
            dns,
            status,
            manager: ServiceManager::from_environment(),
            told: String::new(),
            served,
            draining: snapshot.draining,
            unleased: Members::new(),
            waits: None,
            failure: None,
            lingering: Vec::new(),
            dropped_connections: DroppedConnections::default(),
            reload_asked: false,
            source_error: None,
            redis_unfit: None,
            partitions_away: 0,
            steps: 0,
        })
    }

    /// One pass of the loop.
    async fn step(&mut self) {
        if self.activation.active.nginx.is_away() {
            self.revive().await;
        }
        if self.steps.is_multiple_of(UPKEEP_EVERY) {
            self.retire_workers().await;
            self.look_at_nginx().await;
            self.apply_own_files().await;
            self.reload_as_asked().await;
            self.write_served_again();
            self.count_dropped_connections().await;
        }
        self.steps = self.steps.wrapping_add(1);
        let snapshot = self.read_nodes().await;
        self.announce_served();
        let Some(snapshot) = snapshot else {
            return self.show(&RegistrySnapshot::default(), &MembershipDecision::default());
        };
        if !self.config.serves_others() {
            self.terms.step(&snapshot.leased, Instant::now());
        }
        if self.steps % UPKEEP_EVERY == 1 {
            self.check_redis().await;
        }
        let gone: Members = self.served.difference(&snapshot.leased).copied().collect();
        let dead = match self.source.is_listed() {
            true => gone,
            false => self.probes.round(&gone, self.served.len()).await,
        };
        let decision = membership::next(&self.served, &snapshot.leased, &dead, self.is_frozen(Instant::now()));
        self.count_unleased(&decision.unleased);
        if decision.next == self.served {
            self.pace.clear();
            self.waits = None;
            self.failure = None;
        } else {
            self.apply_if_due(&decision.next).await;
        }
        self.show(&snapshot, &decision);
        self.report().await;
    }

    /// Returns whether no node may leave now. With a list, nodes may always leave.
    fn is_frozen(&self, now: Instant) -> bool {
        !self.source.is_listed() && self.trust.frozen(now)
    }

    /// Reads the nodes. Returns `None` if they can't be read: nothing changes then.
    async fn read_nodes(&mut self) -> Option<RegistrySnapshot> {
        let read = self.source.read().await;
        let now = Instant::now();
        let snapshot = match read {
            Ok(snapshot) => snapshot,
            Err(error) => {
                let (text, is_first) = (cut(format!("{error:#}")), self.trust.failed(now));
                // The error of a list says what is wrong with the list; the error of Redis may be another one each
                // time.
                if is_first || (self.source.is_listed() && self.source_error.as_ref() != Some(&text)) {
                    tracing::warn!("{text}");
                }
                if is_first {
                    decided(json!({ "decision": "freeze", "reason": "away", "nodes": self.served }));
                }
                self.source_error = Some(text);
                return None;
            }
        };
        self.source_error = None;
        if let Some(why) = self.trust.read(&snapshot, now)
            && !self.source.is_listed()
        {
            decided(json!({ "decision": "freeze", "reason": why, "nodes": self.served, "leased": snapshot.leased }));
        }
        self.log_partitions_away();
        self.draining = self.draining.difference(&snapshot.leased).chain(&snapshot.draining).copied().collect();
        Some(snapshot)
    }

    fn log_partitions_away(&mut self) {
        let away = self.trust.away();
        match away.cmp(&self.partitions_away) {
            Ordering::Greater => {
                tracing::warn!(away, "partitions of the store do not answer; the others tell the nodes")
            }
            Ordering::Less if away == 0 => tracing::info!("all partitions of the store answer again"),
            Ordering::Less | Ordering::Equal => {}
        }
        self.partitions_away = away;
    }

    /// Announces by DNS the nodes that are served, until there is a change. While Redis is away, announces that the
    /// nodes are unknown: Nginx then keeps those that it has.
    fn announce_served(&self) {
        if let Some(dns) = &self.dns {
            dns.announce(self.trust.up().then_some(&self.served));
        }
    }

    fn count_unleased(&mut self, unleased: &Members) {
        let new: Vec<_> = unleased.difference(&self.unleased).collect();
        if !new.is_empty() {
            self.status.metrics.disagreements.inc_by(new.len() as u64);
            decided(json!({ "decision": "keep", "reason": "no lease, but it answers", "nodes": new }));
        }
        self.unleased.clone_from(unleased);
    }
}

/// Cuts off the text of an error.
fn cut(mut error: String) -> String {
    error.truncate(error.floor_char_boundary(ERROR_MAX));
    error
}

/// Prints a decision as one line of JSON to standard output, for programs. People read the log.
fn decided(decision: serde_json::Value) {
    print_line(decision);
}
