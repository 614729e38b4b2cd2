//! Asks Nginx which generation it runs. A SIGHUP alone proves nothing: if the master can't run the configuration, it
//! only writes a line to its log and goes on as before.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::time;

use crate::{control::ask, nginx::Nginx};

/// How long a reload may take to be confirmed. After this time it is rolled back.
const CONFIRM: Duration = Duration::from_secs(5);
/// Old workers still accept connections for about 100 ms after a reload. So a reload counts as confirmed after at least
/// [`ANSWERS`] answers of the new generation in a row, over at least this time.
const STEADY: Duration = Duration::from_millis(150);
/// The number of answers in a row that confirm a reload.
const ANSWERS: u32 = 3;

/// Waits until Nginx answers with this generation, as often as [`ANSWERS`] and [`STEADY`] demand, and none of the `old`
/// workers accepts connections any more. An error after 5 s.
pub async fn confirm(nginx: &Nginx, control: SocketAddr, generation: u64, old: &[i32]) -> anyhow::Result<()> {
    let deadline = Instant::now() + CONFIRM;
    let (mut since, mut answers, mut last) = (Instant::now(), 0, None);
    while Instant::now() < deadline {
        last = running(control).await.ok();
        if last != Some(generation) {
            (since, answers) = (Instant::now(), 0);
        } else {
            answers += 1;
            if answers >= ANSWERS && since.elapsed() >= STEADY && !serving(nginx).iter().any(|pid| old.contains(pid)) {
                return Ok(());
            }
        }
        time::sleep(STEADY / 6).await;
    }
    let answered = last.map_or_else(|| "nothing".to_owned(), |last| format!("generation {last}"));
    anyhow::bail!("Nginx should run generation {generation}, and answers {answered} after {} s", CONFIRM.as_secs())
}

/// Returns the generation of the worker that answers. An error if none does within 0.5 s.
pub async fn running(control: SocketAddr) -> anyhow::Result<u64> {
    Ok(ask(control, "/generation").await?.lines().last().unwrap_or_default().parse()?)
}

/// Returns the ids of the workers that accept connections.
pub fn serving(nginx: &Nginx) -> Vec<i32> {
    nginx.worker_scope().list().into_iter().filter(|worker| !worker.lingering).map(|worker| worker.pid).collect()
}
