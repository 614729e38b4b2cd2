//! Which generation Nginx runs, by its own answer. A SIGHUP alone proves nothing: with a configuration that the master can't run it only
//! leaves a line in a log.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use crate::nginx::Nginx;

/// A reload is confirmed within this time, or rolled back.
const CONFIRM: Duration = Duration::from_secs(5);
/// Old workers still accept for about 100 ms after a reload. So a reload is confirmed by at least [`ANSWERS`] answers of the new generation
/// in a row, over at least this time.
const STEADY: Duration = Duration::from_millis(150);
/// Answers in a row that confirm a reload.
const ANSWERS: u32 = 3;
/// For one answer.
const ANSWER: Duration = Duration::from_millis(500);
/// The longest answer that is read, in bytes. Nginx's head has 200.
const ANSWER_MAX: u64 = 4096;

/// Waits until Nginx answers with this generation, steadily, and none of the `old` workers takes connections any more. An error after 5 s.
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
    let said = last.map_or_else(|| "nothing".to_owned(), |last| format!("generation {last}"));
    anyhow::bail!("Nginx was to run generation {generation} and says {said} after {} s", CONFIRM.as_secs())
}

/// The generation of whichever worker answers.
pub async fn running(control: SocketAddr) -> anyhow::Result<u64> {
    let ask = async {
        let mut stream = TcpStream::connect(control).await?;
        stream.write_all(b"GET /generation HTTP/1.0\r\n\r\n").await?;
        let mut answer = String::new();
        stream.take(ANSWER_MAX).read_to_string(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = time::timeout(ANSWER, ask).await??;
    Ok(answer.lines().last().unwrap_or_default().parse()?)
}

/// The workers that still take connections.
pub fn serving(nginx: &Nginx) -> Vec<i32> {
    nginx.ours().list().into_iter().filter(|worker| !worker.lingering).map(|worker| worker.pid).collect()
}
