//! Posts each broadcast when it is due, whatever became of those before: a slow answer delays no other.

use std::sync::Arc;

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet, time};

use crate::{
    config::Config,
    log::{Log, Sent},
    plan::Plan,
};

/// Sends all of them; ends with the last answer.
pub async fn run(config: Config, plan: Arc<Plan>, log: Arc<Log>) {
    let config = Arc::new(config);
    let mut posts = JoinSet::new();
    for (number, due) in plan.broadcasts.iter().enumerate() {
        time::sleep_until(log.began + *due).await;
        posts.spawn(broadcast(number, plan.seed, config.clone(), log.clone()));
    }
    posts.join_all().await;
}

/// Finds out before the run whether the API is there and takes the key: by a command that is none, which it takes no further.
pub async fn ask(config: &Config) -> anyhow::Result<()> {
    let (status, answer) = exchange(config, String::new()).await.with_context(|| format!("--api {}", config.api))?;
    if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
        anyhow::bail!("--key (or MUSTER_KEY) is refused: {status}: {answer}");
    }
    Ok(())
}

async fn broadcast(number: usize, run: u64, config: Arc<Config>, log: Arc<Log>) {
    let at = log.began.elapsed();
    let refused = post(&config, body(number, run, config.payload)).await.err().map(|error| format!("{error:#}"));
    let answered = log.began.elapsed();
    log.sent().push(Sent { number, at, answered, refused });
}

/// The payload is padded to its size.
fn body(number: usize, run: u64, size: usize) -> String {
    let content = format!(r#"{{"run":{run},"number":{number},"pad":""}}"#);
    let pad = "x".repeat(size.saturating_sub(content.len()));
    format!(r#"{{"target":{{"all":true}},"name":"load","payload":{{"run":{run},"number":{number},"pad":"{pad}"}}}}"#)
}

async fn post(config: &Config, body: String) -> anyhow::Result<()> {
    let (status, answer) = exchange(config, body).await?;
    if status == StatusCode::ACCEPTED { Ok(()) } else { anyhow::bail!("{status}: {answer}") }
}

async fn exchange(config: &Config, body: String) -> anyhow::Result<(StatusCode, String)> {
    let authority = config.api.authority().context("--api has no host")?;
    let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await.context("connect")?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let mut request = Request::post("/v1/commands").header(header::HOST, authority.as_str());
    if let Some(key) = &config.key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let response = sender.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
    let status = response.status();
    let answer = response.into_body().collect().await?.to_bytes();
    driver.abort();
    Ok((status, String::from_utf8_lossy(&answer).into_owned()))
}
