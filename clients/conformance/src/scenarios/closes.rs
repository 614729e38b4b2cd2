//! Closes after which a client comes back.

use serde_json::json;

use crate::{
    recording::Recorded,
    stage::{Stage, Stop, lines},
};

/// Codes that say to come back, known and unknown. The reason of the last two is no hint.
const COME_BACK: [(u16, &str); 13] = [
    (1001, ""),
    (1002, ""),
    (1003, ""),
    (1007, "this text is not UTF-8"),
    (1009, ""),
    (1011, ""),
    (3000, ""),
    (4001, ""),
    (4002, ""),
    (4003, ""),
    (4499, "{}"),
    (1012, "bye"),
    (1012, r#"{"retry_ms":"soon"}"#),
];

/// Each code once, and a connection that is cut.
pub async fn come_back(stage: &mut Stage) -> Result<(), Stop> {
    let mut link = stage.first_session().await?;
    for (number, (code, reason)) in COME_BACK.into_iter().enumerate() {
        opened(stage, number).await?;
        link.close(code, reason).await;
        told(stage, number, code).await?;
        let expected = format!("after a close with {code} {reason:?} the client comes back");
        link = stage.session("R33", &expected, json!({})).await?;
    }
    opened(stage, COME_BACK.len()).await?;
    link.cut().await;
    told(stage, COME_BACK.len(), 1006).await?;
    stage.session("R33", "after a connection that was cut the client comes back", json!({})).await?;
    Ok(())
}

/// Waits until the program has seen the session of this number, from 0: it is told of the close of no other.
async fn opened(stage: &mut Stage, number: usize) -> Result<(), Stop> {
    let open = |recorded: &[Recorded]| lines(recorded, "open").nth(number).map(|_| ());
    stage.must("R33", "the program sees a session after each close", open).await
}

/// Waits until the program is told of the close of this number, from 0, which has this code.
async fn told(stage: &mut Stage, number: usize, code: u16) -> Result<(), Stop> {
    let expected = format!("the program is told of the close with {code}");
    let next = |recorded: &[Recorded]| lines(recorded, "close").nth(number).map(|(_, line)| line.clone());
    let line = stage.must("R33", &expected, next).await?;
    stage.check("R33", line["code"] == code, &expected, || line.to_string());
    Ok(())
}
