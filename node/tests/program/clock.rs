//! A node whose clock jumps.

use muster_protocol::api::Protocol::V1;
use muster_testkit::{FalseClock, OnlineTerminal, TestRedis, http::post};

use crate::program::{Program, until_ready, until_unready};

/// An hour in seconds.
const HOUR: i64 = 3600;

#[tokio::test]
async fn a_clock_that_jumps_by_an_hour_ends_no_session_and_all_goes_on_when_it_jumps_back() {
    let (redis, folder) = (TestRedis::start().await, tempfile::tempdir().unwrap());
    let mut clock = None;
    let node = Program::start_with(&["--insecure", "--redis", &redis.url], |command| {
        clock = FalseClock::of(command, folder.path());
    });
    let Some(clock) = clock else { return };
    let address = node.ready().await;
    let command = async |payload: u64| {
        let body = format!(r#"{{"target":{{"all":true}},"name":"show","payload":{payload}}}"#);
        post(address, "/v1/commands", &body).await.0
    };
    let mut terminal = OnlineTerminal::start(address, "t1", V1, &[]).await;
    for (number, jump) in [HOUR, -HOUR].into_iter().enumerate() {
        clock.set(jump);
        until_unready(address, "the clocks of this node and of its Redis differ by").await;
        assert_eq!(command(0).await, 503);
        assert!(terminal.is_quiet(), "the session stays");
        clock.set(0);
        until_ready(address).await;
        assert_eq!(command(number as u64).await, 202);
        assert_eq!(terminal.payload().await, number.to_string());
    }
}
