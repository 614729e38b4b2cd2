//! A server with its terminals, ready to be measured.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::time::sleep;

use crate::{
    core_split::CoreSplit,
    kernel_memory::kernel_memory,
    servers::{crowd::Crowd, delivery::broadcast, dialect::Dialect, server::Server, usage::cpu},
};

/// How long a server may take to give back what handshakes needed.
const IDLE: Duration = Duration::from_secs(2);
/// The largest share of their core that terminals may need. Above it they, and not the server, are measured.
const TERMINALS_MAX: f64 = 0.95;

/// A server of the table.
#[async_trait(?Send)]
pub trait Subject {
    /// The column with what it is found to do.
    fn column(&self) -> &str;

    /// How its terminals speak.
    fn dialect(&self) -> Dialect;

    /// Starts it for so many terminals.
    async fn start(&self, terminals: usize) -> Box<dyn Server>;
}

/// A server with its terminals.
pub struct BenchStage<'a> {
    /// The rounds of the table.
    pub rounds: usize,
    /// Where terminals go first: their connections end before the server does.
    pub crowd: Crowd,
    /// The server.
    pub server: Box<dyn Server>,
    /// Resident bytes of the server before it had terminals.
    pub empty: u64,
    /// Bytes of the kernel before there were terminals.
    pub kernel_empty: u64,
    subject: &'a dyn Subject,
    cores: CoreSplit,
}

impl<'a> BenchStage<'a> {
    /// Starts a server and connects its terminals.
    pub async fn set(subject: &'a dyn Subject, terminals: usize, rounds: usize, cores: CoreSplit) -> Self {
        let server = {
            let _on_server_core = cores.on_server_core();
            subject.start(terminals).await
        };
        let (empty, kernel_empty) = (server.memory(), kernel_memory());
        let crowd = Crowd::gather(server.address(), 0, terminals, subject.dialect()).await;
        sleep(IDLE).await;
        Self { rounds, crowd, server, empty, kernel_empty, subject, cores }
    }

    /// Starts the same server once more, with a number of terminals of its own.
    pub async fn another(&self, terminals: usize) -> Self {
        Self::set(self.subject, terminals, self.rounds, self.cores).await
    }

    /// How the terminals speak.
    pub fn dialect(&self) -> Dialect {
        self.subject.dialect()
    }

    /// Sends so many broadcasts at once, and waits until all is done.
    pub async fn broadcast(&mut self, in_flight: usize) {
        broadcast(&mut *self.server, &mut self.crowd, in_flight).await;
    }

    /// Does some work. Returns how long it took; or why that says nothing of the server.
    pub async fn time(&mut self, work: impl AsyncFnOnce(&mut Self)) -> Result<Duration, String> {
        let (began, before) = (Instant::now(), cpu(std::process::id()));
        work(self).await;
        let took = began.elapsed();
        let share = (cpu(std::process::id()) - before).as_secs_f64() / took.as_secs_f64();
        if !self.cores.is_divided() {
            return Err("terminals and server share a core".into());
        }
        if share > TERMINALS_MAX {
            return Err(format!("the core of the terminals was busy for {:.0} % of the time", share * 100.0));
        }
        Ok(took)
    }
}
