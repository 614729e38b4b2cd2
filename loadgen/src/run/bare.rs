//! The minimum work of a reader: wait until a socket is readable, read, and count bytes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    clock::{Clock, SECOND},
    config::Config,
    health::{Canary, Usage},
    journal::Journal,
    plan::{Partition, Plan},
    play::{LiveCounters, operator},
};

/// Measures the CPU time of this process per frame that a bare reader receives, in microseconds. The messages are sent
/// as in a run.
pub async fn cpu_us_per_frame(config: &Config, plan: &Arc<Plan>, address: &str) -> anyhow::Result<f64> {
    let bytes = Arc::new(AtomicU64::new(0));
    let mut readers = JoinSet::new();
    for _ in 0..config.fleet.terminals {
        let stream = open(address).await?;
        readers.spawn(read(stream, bytes.clone()));
    }
    let clock = Clock::start_in(Duration::ZERO);
    let journal = Arc::new(Journal::new(clock, 0, plan.messages.len()));
    let partition = Partition { run: 0, of: 1, rest: 0 };
    let canary = Canary::start();
    operator::start(config.clone(), plan.clone(), partition, journal, Arc::new(LiveCounters::default()), None);
    clock.wait_until(plan.begin).await;
    let before = Usage::own();
    clock.wait_until(plan.end + SECOND).await;
    let cpu_s = Usage::own().cpu_s - before.cpu_s;
    canary.stop();
    // A frame has a header of two bytes, or four if its payload has 126 bytes or more.
    let payload = config.payload.max(82);
    let frame = payload + if payload < 126 { 2 } else { 4 };
    let frames = bytes.load(Relaxed) / frame as u64;
    ensure!(frames > 0, "the bare readers received nothing");
    Ok(cpu_s * 1e6 / frames as f64)
}

async fn open(address: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await.context("a bare reader's connection")?;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    ensure!(head.starts_with(b"HTTP/1.1 101"), "the null server refused a bare reader");
    Ok(stream)
}

async fn read(mut stream: TcpStream, bytes: Arc<AtomicU64>) {
    let mut buffer = [0; 2048];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        bytes.fetch_add(read as u64, Relaxed);
    }
}
