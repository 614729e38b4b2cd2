//! When a client comes back. What comes too early is judged strictly. What is left to chance is judged over several delays: a client that keeps
//! the rule seems to break it once in 300 times, and since it is then tried again, twice, once in 30,000,000.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    link::Link,
    policy::PolicyTimes,
    stage::{Stage, Stop},
    timing::{LATE, SOON, START, ms},
};

/// A backoff so long that a client which comes back has followed a hint.
const NEVER: u64 = 1_000_000;

/// Hints in closes and in a goodbye.
pub async fn hints(stage: &mut Stage) -> Result<(), Stop> {
    stage.policy = PolicyTimes { first_ms: NEVER, cap_ms: NEVER, hint_cap_ms: 1000, ..PolicyTimes::default() };
    let link = stage.first_session().await?;
    let link = hinted(stage, link, 1012, r#"{"retry_ms":400}"#, ms(400)).await?;
    let mut link = hinted(stage, link, 1001, r#"{"retry_ms":0}"#, ms(0)).await?;
    link.send(json!({ "type": "goodbye", "reason": "draining", "retry_ms": 200 })).await;
    let mut link = hinted(stage, link, 1012, "", ms(200)).await?;
    // The hint of the close counts.
    link.send(json!({ "type": "goodbye", "reason": "draining", "retry_ms": 0 })).await;
    let link = hinted(stage, link, 1012, r#"{"retry_ms":600}"#, ms(600)).await?;
    // An hour counts as the longest hint.
    hinted(stage, link, 1012, r#"{"retry_ms":3600000}"#, ms(1000)).await?;
    Ok(())
}

/// Closes the session, and waits for the next one, which must not come before `least`.
async fn hinted(stage: &mut Stage, link: Link, code: u16, reason: &str, least: Duration) -> Result<Link, Stop> {
    let closed = link.close(code, reason).await;
    let what = format!("after a close with {code} {reason:?} the client comes back");
    let link = stage.session("R20", &what, json!({})).await?;
    stage.check_delay("R20", (closed, link.at), least, None, &what);
    Ok(link)
}

/// Refusals that say when to come back.
pub async fn retry_after(stage: &mut Stage) -> Result<(), Stop> {
    stage.policy = PolicyTimes { first_ms: NEVER, cap_ms: NEVER, ..PolicyTimes::default() };
    stage.start();
    let first = stage.refuse("R21", "a handshake of the program", 429, Some("1")).await?;
    let what = "after 429 with Retry-After: 1 the client comes back";
    let second = stage.refuse("R21", what, 503, Some("1")).await?;
    stage.check_delay("R21", (first.at, second.began), ms(1000), None, what);
    let what = "after 503 with Retry-After: 1 the client comes back";
    let link = stage.session("R21", what, json!({})).await?;
    stage.check_delay("R21", (second.at, link.at), ms(1000), None, what);
    Ok(())
}

/// Connections that are cut at once: the range doubles from 50 ms to 1 s.
pub async fn jitter(stage: &mut Stage) -> Result<(), Stop> {
    stage.policy = PolicyTimes { first_ms: 50, cap_ms: 1000, ..PolicyTimes::default() };
    stage.start();
    let mut failed = fail(stage, "R22", START).await?.1;
    let mut widest = Vec::new();
    for failures in 0..15_u64 {
        let (at, next_failed) = fail(stage, "R22", SOON).await?;
        let range = ms((50_u64 << failures).min(1000));
        let what = format!("after {} failures the client comes back", failures + 1);
        stage.check_delay("R22", (failed, at), Duration::ZERO, Some(range + LATE), &what);
        if range == ms(1000) {
            widest.push(at - failed);
        }
        failed = next_failed;
    }
    let least = widest.iter().min().copied().unwrap_or_default();
    let most = widest.iter().max().copied().unwrap_or_default();
    let seen = || format!("{least:?} to {most:?}");
    let expected = "10 delays that are anywhere between 0 and 1 s";
    stage.check("R22", most > ms(500), &format!("{expected}: one is above 500 ms"), seen);
    stage.check("R22", least < ms(750), &format!("{expected}: one is below 750 ms"), seen);
    stage.check("R22", most - least > ms(100), &format!("{expected}: they are not the same"), seen);
    Ok(())
}

/// Waits for a connection and cuts it. Returns when it came, and when it was cut.
async fn fail(stage: &mut Stage, rule: &'static str, within: Duration) -> Result<(Instant, Instant), Stop> {
    let connected = stage.connected(0, within).await;
    let connected = stage.some(rule, connected, "after a failure the client comes back")?;
    let cut = Instant::now();
    drop(connected.stream);
    Ok((connected.at, cut))
}

/// Sessions that are shorter and longer than the time that proves something.
pub async fn stable(stage: &mut Stage) -> Result<(), Stop> {
    stage.policy = PolicyTimes { first_ms: 20, cap_ms: 3000, stable_ms: 600, ..PolicyTimes::default() };
    stage.start();
    let mut within = START;
    // 20, 40, 80, … 2560 ms, and then 3 s.
    for _ in 0..8 {
        fail(stage, "R23", within).await?;
        within = SOON;
    }
    let mut link = stage.session("R23", "a handshake after 8 failures", json!({})).await?;
    let mut longest = Duration::ZERO;
    for _ in 0..4 {
        let (next, delay) = lasted(stage, link, ms(50)).await?;
        link = next;
        longest = longest.max(delay);
        if longest > ms(700) {
            break;
        }
    }
    let expected = "after 8 failures and a short session the range is still 3 s: one of 4 delays is above 700 ms";
    stage.check("R23", longest > ms(700), expected, || format!("at most {longest:?}"));
    let mut delays = Vec::new();
    for _ in 0..4 {
        let (next, delay) = lasted(stage, link, ms(750)).await?;
        link = next;
        delays.push(delay);
    }
    // From a range of 3 s so short a delay is drawn once in four times.
    let short = delays.iter().filter(|delay| **delay < ms(700)).count();
    let expected = "after a session that lasted, the range is 20 ms again: 3 of 4 delays are below 700 ms";
    stage.check("R23", short >= 3, expected, || format!("{delays:?}"));
    Ok(())
}

/// Closes the session after a while, and waits for the next one. Returns how long that took.
async fn lasted(stage: &mut Stage, link: Link, lasts: Duration) -> Result<(Link, Duration), Stop> {
    tokio::time::sleep(lasts).await;
    let closed = link.close(4003, "").await;
    let link = stage.session("R23", "another session after 4003", json!({})).await?;
    let delay = link.at - closed;
    Ok((link, delay))
}
