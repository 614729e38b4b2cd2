//! Attempts that come to nothing.

use serde_json::json;

use crate::{
    policy::PolicyTimes,
    stage::{Stage, Stop, lines},
    timing::{SOON, START, ms},
};

/// A server that never answers the handshake, and one that never sends a welcome.
pub async fn deadline(stage: &mut Stage) -> Result<(), Stop> {
    stage.policy = PolicyTimes { deadline_ms: 800, ..PolicyTimes::default() };
    stage.start();
    let silent = stage.connected(0, START).await;
    let silent = stage.some("R34", silent, "a handshake of the program")?;
    let what = "an attempt without an answer is given up, and the client comes back";
    let without_welcome = stage.upgrade("R34", what).await?;
    // The client's clock began before the connection was accepted.
    stage.check_delay("R34", (silent.at, without_welcome.at), ms(400), None, what);
    let what = "an attempt without a welcome is given up, and the client comes back";
    let link = stage.session("R34", what, json!({})).await?;
    stage.check_delay("R34", (without_welcome.at, link.at), ms(400), None, what);
    stage.printed("R34", "open", "the program sees a session", |_| true).await?;
    let opened = stage.recording.ask(|recorded| lines(recorded, "open").count());
    stage.check("R34", opened == 1, "the program sees no session before the welcome", || format!("{opened}"));
    Ok(())
}

/// Two URLs, whose servers refuse in turn.
pub async fn next_url(stage: &mut Stage) -> Result<(), Stop> {
    stage.add_port().await;
    stage.start();
    for (wanted, within) in [(0, START), (1, SOON), (0, SOON)] {
        let found = stage.connected_somewhere(within).await;
        let (port, connected) = stage.some("R24", found, "a handshake at one of two URLs")?;
        stage.answer_with(connected, 503, None).await;
        let expected = format!("after each failure the next URL is tried: now that at index {wanted}");
        stage.demand("R24", port == wanted, &expected, || format!("the one at index {port}"))?;
    }
    Ok(())
}
