//! Pings, and a line on which nothing comes any more.

use std::time::Instant;

use serde_json::json;

use crate::{
    recording::Observed,
    stage::{Stage, Stop},
    timing::ms,
};

/// Pings keep a session; without them it is given up.
pub async fn silence(stage: &mut Stage) -> Result<(), Stop> {
    stage.start();
    let mut link = stage.session("R18", "a handshake of the program", json!({ "ping_ms": 300 })).await?;
    let number = link.number;
    let mut last = Instant::now();
    for _ in 0..12 {
        tokio::time::sleep(ms(100)).await;
        last = Instant::now();
        link.ping(b"kit").await;
    }
    let pong = Observed::Pong(number, b"kit".to_vec());
    stage
        .must("R18", "each of 12 pings is answered with a pong of its payload", |recorded| {
            (recorded.iter().filter(|it| it.what == pong).count() == 12).then_some(())
        })
        .await?;
    let is_gone = stage.recording.ask(|recorded| recorded.iter().any(|it| it.what == Observed::Gone(number)));
    stage.check("R19", !is_gone, "a session on which only pings come is kept", || "it was given up".into());

    link.go_silent().await;
    let what = "after three ping intervals without anything the client gives the line up, and comes back";
    let next = stage.upgrade("R19", what).await?;
    stage.check_delay("R19", (last, next.at), ms(900), None, what);
    drop(link);
    Ok(())
}
