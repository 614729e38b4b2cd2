//! Tokens that are replaced, refused, over, or not there.

use std::time::Instant;

use serde_json::json;

use crate::{
    handshake::token_of,
    policy::PolicyTimes,
    stage::{Stage, Stop, frames},
    timing::{SOON, ms},
};

/// A policy by which an attempt without a good token comes 2 to 4 s after the last one, and any other at once.
const SLOW: PolicyTimes =
    PolicyTimes { first_ms: 20, cap_ms: 100, stable_ms: 600, slow_ms: 4000, hint_cap_ms: 6000, deadline_ms: 5000 };

/// The file is replaced between two sessions, and is missing before a third.
pub async fn file(stage: &mut Stage) -> Result<(), Stop> {
    let link = stage.first_session().await?;
    let newer = stage.token_for(7200);
    stage.replace_token(&newer);
    link.close(4003, "").await;
    let mut link = stage.upgrade("R27", "another handshake after 4003").await?;
    let is_newer = token_of(&link.request) == Some(&newer);
    stage.check("R27", is_newer, "the token that the file has now", || "another, or none".into());
    link.welcome(json!({})).await;
    stage.echo("R27", &mut link, "a result").await?;
    stage.remove_token();
    link.close(4003, "").await;
    let link = stage.upgrade("R29", "a client whose source fails comes back with the token that it has").await?;
    let is_kept = token_of(&link.request) == Some(&newer);
    stage.check("R29", is_kept, "the token that the client has, since its file is missing", || {
        "another, or none".into()
    });
    Ok(())
}

/// A token that is refused twice, and then another.
pub async fn refused(stage: &mut Stage) -> Result<(), Stop> {
    stage.policy = SLOW;
    stage.start();
    let first = stage.refuse("R25", "a handshake of the program", 401, None).await?;
    let what = "after 401 and without another token the client comes back";
    let second = stage.refuse("R25", what, 401, None).await?;
    stage.check_delay("R25", (first.at, second.began), ms(2000), None, what);
    let newer = stage.token_for(7200);
    stage.replace_token(&newer);
    let replaced = Instant::now();
    let link = stage.upgrade("R25", "after 401 and with another token the client comes back").await?;
    let what = "the client looks for another token meanwhile, and comes back";
    stage.check_delay("R25", (replaced, link.at), ms(0), Some(ms(1900)), what);
    let is_newer = token_of(&link.request) == Some(&newer);
    stage.check("R27", is_newer, "the token that the file has now", || "another, or none".into());
    Ok(())
}

/// A session that ends with its token, without another token and with one.
pub async fn over(stage: &mut Stage) -> Result<(), Stop> {
    stage.policy = SLOW;
    stage.replace_token(&stage.token_for(1));
    let link = stage.first_session().await?;
    tokio::time::sleep(ms(2100)).await;
    let closed = link.close(4004, "the token has expired").await;
    let what = "after 4004 and without another token the client comes back";
    let link = stage.session("R33", what, json!({})).await?;
    stage.check_delay("R25", (closed, link.at), ms(2000), None, what);
    let newer = stage.token_for(7200);
    stage.replace_token(&newer);
    let closed = link.close(4004, "the token has expired").await;
    let what = "after 4004 the client asks its source, which has another token, and comes back";
    let link = stage.upgrade("R25", what).await?;
    stage.check_delay("R25", (closed, link.at), ms(0), Some(ms(1900)), what);
    let is_newer = token_of(&link.request) == Some(&newer);
    stage.check("R25", is_newer, "the token that the source has now", || "another, or none".into());
    Ok(())
}

/// A token that ends within the session, and its successor.
pub async fn renewed(stage: &mut Stage) -> Result<(), Stop> {
    let life = ms(8000);
    let made = Instant::now();
    stage.replace_token(&stage.token_for(8));
    let mut link = stage.first_session().await?;
    let opened = Instant::now();
    let left = (made + life).saturating_duration_since(opened);
    let newer = stage.token_for(7200);
    stage.replace_token(&newer);
    let number = link.number;
    let sent = stage.recording.wait(life + SOON, |recorded| {
        frames(recorded, number, "token").map(|(at, frame)| (at, frame["token"] == *newer)).next()
    });
    let sent = sent.await;
    let (at, is_newer) = stage.some("R28", sent, "a frame token before the token expires")?;
    stage.check("R28", is_newer, "the token that the source has now", || "another".into());
    // A short token is asked for a little earlier than in its last fifth.
    let what = "the newer token is sent";
    stage.check_delay("R28", (opened, at), left.mul_f64(0.3), Some(left + ms(1000)), what);
    stage.echo("R28", &mut link, "with the newer token the session goes on").await
}
