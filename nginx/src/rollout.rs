//! How a set of nodes becomes what Nginx runs: written aside, checked, switched to, reloaded, and confirmed by reading the generation
//! back; or the one before is put back. A SIGHUP alone proves nothing: with a broken configuration it only leaves a line in a log.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use crate::{
    config::Config,
    generations::Generations,
    membership::Members,
    nginx::{Nginx, check},
    ports::Ports,
    template::{nodes, render},
    workers::NginxWorker,
};

/// A reload is confirmed within this time or rolled back.
const CONFIRM: Duration = Duration::from_secs(5);
/// Old workers still accept for about 100 ms after a reload: only answers of the new generation over a longer time prove it,
const STEADY: Duration = Duration::from_millis(150);
/// and more than one.
const ANSWERS: u32 = 3;
/// A set that Nginx did not take is not tried again before.
const QUARANTINE: Duration = Duration::from_secs(600);

/// What became of a set.
#[derive(Debug)]
pub enum RolloutOutcome {
    /// It is served.
    Confirmed,
    /// Nginx did not accept its files; nothing was changed.
    Refused(anyhow::Error),
    /// Nginx did not come to run it; the one before was put back.
    RolledBack(anyhow::Error),
}

impl RolloutOutcome {
    /// The value of the metric's label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Refused(_) => "refused",
            Self::RolledBack(_) => "rolled_back",
        }
    }
}

/// Rolls sets out to one Nginx.
pub struct Rollout {
    config: Config,
    /// Where it listens.
    pub ports: Ports,
    generations: Generations,
    quarantine: HashMap<Members, Instant>,
    /// The process.
    pub nginx: Nginx,
}

impl Rollout {
    /// Starts or finds Nginx, and brings it to the current generation, which is made from `members` if there is none that it can
    /// run. The members that are served then.
    pub async fn start(config: Config, ports: Ports, members: &Members) -> anyhow::Result<(Self, Members)> {
        let generations = Generations::new(&config.dir)?;
        let current = settle(&config, &generations, ports, members).await?;
        let nginx = Nginx::take(config.clone(), generations.current_file(), ports.listen).await?;
        let rollout = Self { config, ports, generations, quarantine: HashMap::new(), nginx };
        if running(ports.control).await.ok() != Some(current) {
            rollout.confirm_start(current).await?;
        }
        let served = rollout.generations.members(current);
        Ok((rollout, served))
    }

    /// Which generation is to be served.
    pub fn generation(&self) -> u64 {
        self.generations.current().unwrap_or_default()
    }

    /// Whether Nginx did not take this set lately.
    pub fn quarantined(&self, members: &Members) -> bool {
        self.quarantine.get(members).is_some_and(|until| Instant::now() < *until)
    }

    /// Serves these members from now on, or goes on as before.
    pub async fn apply(&mut self, members: &Members) -> RolloutOutcome {
        let (before, next) = (self.generation(), self.generations.next());
        let outcome = match self.stage(next, members).await {
            Err(error) => RolloutOutcome::Refused(error),
            Ok(()) => match self.switch(next).await {
                Ok(()) => RolloutOutcome::Confirmed,
                Err(error) => {
                    self.put_back(before).await;
                    RolloutOutcome::RolledBack(error)
                }
            },
        };
        if *members != self.generations.members(before) && self.blames_set(&outcome, before, next).await {
            self.quarantine.insert(members.clone(), Instant::now() + QUARANTINE);
        }
        self.generations.prune();
        outcome
    }

    /// Serves these, of whom Nginx has learned by itself, also when it is started the next time.
    pub fn remember(&self, members: &Members) -> anyhow::Result<()> {
        self.generations.amend(self.generation(), "nodes.conf", &nodes(members, self.ports.resolver)?)
    }

    /// Brings an Nginx that died back, with the current generation. False while it is the system that does not.
    pub async fn bring_back(&mut self) -> anyhow::Result<bool> {
        if !self.nginx.bring_back().await? {
            return Ok(false);
        }
        self.confirm(self.generation(), &[]).await.map(|()| true)
    }

    /// Whether it is the new set that Nginx does not take. What is served fares no better while a certificate and its key do not
    /// match, a snippet is broken or Nginx is down.
    async fn blames_set(&self, outcome: &RolloutOutcome, before: u64, next: u64) -> bool {
        match outcome {
            RolloutOutcome::Confirmed => false,
            // The next once more: what is wrong with both may have been put right in between.
            RolloutOutcome::Refused(_) => self.check(before).await.is_ok() && self.check(next).await.is_err(),
            RolloutOutcome::RolledBack(_) => running(self.ports.control).await.ok() == Some(before),
        }
    }

    async fn stage(&self, generation: u64, members: &Members) -> anyhow::Result<()> {
        let files = render(&self.config, self.ports, generation, members)?;
        self.generations.write(generation, &files)?;
        self.check(generation).await
    }

    async fn check(&self, generation: u64) -> anyhow::Result<()> {
        check(&self.config, &self.generations.path(generation).join("nginx.conf")).await
    }

    async fn switch(&self, generation: u64) -> anyhow::Result<()> {
        let old = serving(&self.nginx);
        self.generations.switch(generation)?;
        self.nginx.reload()?;
        self.confirm(generation, &old).await
    }

    async fn put_back(&self, generation: u64) {
        let old = serving(&self.nginx);
        let back = async {
            self.generations.switch(generation)?;
            self.nginx.reload()?;
            self.confirm(generation, &old).await
        };
        if let Err(error) = back.await {
            tracing::error!(generation, "the generation before was put back and is not confirmed either: {error:#}");
        }
    }

    /// One that was found may run an older generation than its sidecar left as the current one, or than was just made.
    async fn confirm_start(&self, generation: u64) -> anyhow::Result<()> {
        let old = if self.nginx.is_found() { serving(&self.nginx) } else { Vec::new() };
        if self.nginx.is_found() {
            self.nginx.reload()?;
        }
        self.confirm(generation, &old).await
    }

    /// Waits until Nginx says this generation, steadily, and none of the `old` workers serves any more.
    async fn confirm(&self, generation: u64, old: &[i32]) -> anyhow::Result<()> {
        let deadline = Instant::now() + CONFIRM;
        let (mut since, mut answers, mut last) = (Instant::now(), 0, None);
        while Instant::now() < deadline {
            last = running(self.ports.control).await.ok();
            if last != Some(generation) {
                (since, answers) = (Instant::now(), 0);
            } else {
                answers += 1;
                if answers >= ANSWERS
                    && since.elapsed() >= STEADY
                    && !serving(&self.nginx).iter().any(|pid| old.contains(pid))
                {
                    return Ok(());
                }
            }
            time::sleep(STEADY / 6).await;
        }
        let said = last.map_or_else(|| "nothing".to_owned(), |last| format!("generation {last}"));
        anyhow::bail!("Nginx was to run generation {generation} and says {said} after {} s", CONFIRM.as_secs())
    }
}

/// The generation to begin with: the current one, or else the newest that Nginx can run, or else a new one.
async fn settle(config: &Config, generations: &Generations, ports: Ports, members: &Members) -> anyhow::Result<u64> {
    for generation in generations.current().into_iter().chain(generations.all()) {
        // One that was made for other settings would serve elsewhere, or tell its generation elsewhere.
        let files = render(config, ports, generation, &generations.members(generation))?;
        if generations.is(generation, &files)
            && check(config, &generations.path(generation).join("nginx.conf")).await.is_ok()
        {
            generations.switch(generation)?;
            return Ok(generation);
        }
    }
    let known = generations.current().map(|current| generations.members(current)).unwrap_or_default();
    let members = if known.is_empty() { members } else { &known };
    let generation = generations.next();
    generations.write(generation, &render(config, ports, generation, members)?)?;
    check(config, &generations.path(generation).join("nginx.conf")).await?;
    generations.switch(generation)?;
    Ok(generation)
}

/// The workers that still take connections.
fn serving(nginx: &Nginx) -> Vec<i32> {
    nginx.ours().list().into_iter().filter(|worker: &NginxWorker| !worker.lingering).map(|worker| worker.pid).collect()
}

/// The generation of whichever worker answers.
async fn running(control: SocketAddr) -> anyhow::Result<u64> {
    let ask = async {
        let mut stream = TcpStream::connect(control).await?;
        stream.write_all(b"GET /generation HTTP/1.0\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = time::timeout(Duration::from_millis(500), ask).await??;
    Ok(answer.lines().last().unwrap_or_default().parse()?)
}
