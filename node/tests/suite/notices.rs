//! What operators hear without looking: each kind, signed, tried again, and only where it may go.

use std::time::Duration;

use data_encoding::HEXLOWER;
use muster_protocol::{
    api::Protocol::V1,
    frame::{Condition, FromTerminal, Health},
};
use muster_testkit::wait::until;
use ring::hmac;
use serde_json::json;
use tokio_tungstenite::connect_async;

use crate::{
    cluster::Cluster,
    receiver::{Receiver, SECRET, attempts, set},
};

crate::on_both!(
    a_terminal_that_is_off_the_line_for_long_is_told_of_and_one_that_came_back_is_not,
    what_happens_to_terminals_commands_and_rollouts_is_told,
    a_message_is_signed_and_has_the_same_id_when_it_comes_again,
    a_receiver_that_hangs_slows_no_other | crate::receiver::TO_LOOPBACK
);

async fn a_terminal_that_is_off_the_line_for_long_is_told_of_and_one_that_came_back_is_not(cluster: Cluster) {
    let receiver = Receiver::start(&[]).await;
    let fields = json!({ "off_for": "5s", "match": "site = bj" });
    set(&cluster, "away", &receiver.url(), &["terminal.away"], fields).await;
    let mut terminals = Vec::new();
    for (id, site) in [("gone", "bj"), ("other", "sh"), ("back", "bj")] {
        terminals.push(cluster.there().terminal(id, V1, &[]).await);
        let labels = json!({ "site": site }).to_string();
        assert_eq!(cluster.ask("PUT", &format!("/v1/terminals/{id}/labels"), &labels).await.0, 200);
    }
    for terminal in terminals {
        terminal.terminal.close().await;
    }
    let _back = cluster.here().terminal("back", V1, &[]).await;
    let heard = receiver.first("terminal.away").await;
    let told = &heard.body["data"];
    assert_eq!((&told["off_for"], &told["terminals"][0]["terminal"]), (&json!("5s"), &json!("gone")), "{heard:?}");
    let since: jiff::Timestamp = told["terminals"][0]["since"].as_str().unwrap().parse().unwrap();
    let at: jiff::Timestamp = heard.body["at"].as_str().unwrap().parse().unwrap();
    assert!(at.duration_since(since) >= jiff::SignedDuration::from_secs(5), "{heard:?}");
    // A terminal that goes later is told of later: whoever is told of now would have been told of before.
    cluster.there().terminal("last", V1, &[]).await.terminal.close().await;
    assert_eq!(cluster.ask("PUT", "/v1/terminals/last/labels", r#"{"site":"bj"}"#).await.0, 200);
    let names = || {
        let posts = receiver.posts();
        let terminals = posts.iter().flat_map(|post| post.body["data"]["terminals"].as_array().unwrap().clone());
        terminals.map(|one| one["terminal"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    until("the last is told of", async || names().last().is_some_and(|name| name == "last")).await;
    assert_eq!(names(), ["gone", "last"]);
}

async fn what_happens_to_terminals_commands_and_rollouts_is_told(cluster: Cluster) {
    let receiver = Receiver::start(&[]).await;
    let kinds = ["terminal.degraded", "terminal.contested", "command.done", "rollout.stopped"];
    set(&cluster, "all", &receiver.url(), &kinds, json!({})).await;
    let ill = cluster.there().terminal("ill", V1, &[]).await;
    let health = Health { condition: Condition::Failing, metrics: Default::default() };
    ill.terminal.send(FromTerminal::Health(health)).await.unwrap();
    let degraded = receiver.first("terminal.degraded").await.body;
    assert_eq!(
        (&degraded["data"]["terminal"], &degraded["data"]["condition"], &degraded["notice"]),
        (&json!("ill"), &json!("failing"), &json!("all"))
    );
    let (_, sent) = cluster.here().command(r#"{"terminal":"ill"}"#, "1").await;
    let done = receiver.first("command.done").await.body;
    assert_eq!((&done["data"]["command"], &done["data"]["state"]), (&sent["id"], &json!("done")));
    let later = jiff::Timestamp::now() + Duration::from_secs(3600);
    let rollout = json!({ "target": { "all": true }, "command": { "name": "x" }, "waves": [{ "rest": true }], "start_at": later });
    let (_, made) = cluster.ask("POST", "/v1/rollouts", &rollout.to_string()).await;
    let id = made["id"].as_str().unwrap();
    assert_eq!(cluster.ask("POST", &format!("/v1/rollouts/{id}/stop"), "").await.0, 200);
    assert_eq!(receiver.first("rollout.stopped").await.body["data"]["rollout"], made["id"]);
    let mut sockets = Vec::new();
    for _ in 0..8 {
        let url = format!("ws://{}/ws?terminal_id=twin", cluster.there().address);
        sockets.push(connect_async(url).await.unwrap().0);
        let is_here = async || cluster.ask("GET", "/v1/terminals/twin", "").await.0 == 200;
        until("it is known", is_here).await;
    }
    assert_eq!(receiver.first("terminal.contested").await.body["data"]["terminal"], "twin");
}

async fn a_message_is_signed_and_has_the_same_id_when_it_comes_again(cluster: Cluster) {
    let receiver = Receiver::start(&[500, 302]).await;
    set(&cluster, "signed", &receiver.url(), &["command.done"], json!({})).await;
    let _terminal = cluster.there().terminal("t", V1, &[]).await;
    cluster.here().command(r#"{"terminal":"t"}"#, "1").await;
    until("it is delivered", async || attempts(&cluster, "signed").await.len() == 3).await;
    let posts = receiver.posts();
    assert_eq!(posts.len(), 3);
    for post in &posts {
        assert!(post.head.starts_with("post /hook?to=ops http/1.1\r\n"), "{}", post.head);
        assert_eq!((&post.text, post.header("muster-notice-id")), (&posts[0].text, post.body["id"].as_str().unwrap()));
        let (time, signed) = post.header("muster-signature").split_once(",v1=").unwrap();
        let seconds: i64 = time.strip_prefix("t=").unwrap().parse().unwrap();
        assert!((jiff::Timestamp::now().as_second() - seconds).abs() < 300);
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let signed = HEXLOWER.decode(signed.as_bytes()).unwrap();
        hmac::verify(&key, format!("{seconds}.{}", post.text).as_bytes(), &signed).unwrap();
    }
    let attempts = attempts(&cluster, "signed").await;
    let shown: Vec<_> = attempts.iter().map(|one| (one["result"].as_str().unwrap(), one["status"].as_u64())).collect();
    assert_eq!(shown, [("delivered", Some(200)), ("failed", Some(302)), ("failed", Some(500))]);
    assert!(attempts[1]["error"].as_str().unwrap().contains("redirect") && attempts[1]["next_at"].is_string());
    assert_eq!((&attempts[0]["attempt"], &attempts[0]["message"]), (&json!(3), &posts[0].body["id"]));
    assert_eq!(cluster.get("/v1/notices/signed").await["waiting"], 0);
}

async fn a_receiver_that_hangs_slows_no_other(cluster: Cluster) {
    let (hanging, other) = (Receiver::start(&[0; 64]).await, Receiver::start(&[]).await);
    set(&cluster, "a-hangs", &hanging.url(), &["command.done"], json!({})).await;
    set(&cluster, "b-works", &other.url(), &["command.done"], json!({})).await;
    let _terminal = cluster.there().terminal("t", V1, &[]).await;
    cluster.here().command(r#"{"terminal":"t"}"#, "1").await;
    until("both are asked", async || hanging.answers_left() < 64 && !other.posts().is_empty()).await;
    for _ in 0..3 {
        cluster.here().command(r#"{"terminal":"t"}"#, "1").await;
    }
    until("the other has all", async || other.posts().len() == 4).await;
    assert!(attempts(&cluster, "a-hangs").await.is_empty(), "the first attempt has not ended");
    until("its messages wait", async || cluster.get("/v1/notices/a-hangs").await["waiting"] == 4).await;
    until("the attempt has ended", async || !attempts(&cluster, "a-hangs").await.is_empty()).await;
    let first = attempts(&cluster, "a-hangs").await.pop().unwrap();
    assert!(first["status"].is_null() && first["error"].as_str().unwrap().contains("within 10 s"), "{first}");
}
