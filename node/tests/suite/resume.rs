//! A terminal that was away gets what it missed, once and in order, on whichever node it returns to, or a gap says
//! what is missing.

use muster_client::Incoming;
use muster_protocol::api::Protocol::{Plain, V1};
use muster_testkit::wait::until;

use crate::cluster::Cluster;

crate::on_both!(
    what_was_missed_comes_in_order_and_once,
    a_plain_terminal_gets_what_it_missed,
    what_was_not_acknowledged_comes_again_and_what_was_does_not,
    what_was_not_acknowledged_is_not_hidden_by_what_others_got,
    nothing_is_doubled_while_it_comes_back
);

mod trimmed {
    crate::on_both!(what_the_log_no_longer_has_is_a_gap | ["--log", "3"]);
    use super::what_the_log_no_longer_has_is_a_gap;
}

mod full {
    crate::on_both!(a_full_backlog_is_refused | ["--backlog", "3"]);
    use super::a_full_backlog_is_refused;
}

mod without_room {
    crate::on_both!(what_finds_no_room_is_refused | ["--max-stored", "16777216"]);
    use super::what_finds_no_room_is_refused;
}

const TO_FAR: &str = r#"{"terminal":"far"}"#;
const TO_ALL: &str = r#"{"all":true}"#;

async fn what_was_missed_comes_in_order_and_once(cluster: Cluster) {
    cluster.there().was_here("far", V1).await;
    for number in 0..150 {
        let target = if number % 3 == 0 { TO_ALL } else { TO_FAR };
        assert_eq!(cluster.here().command(target, &number.to_string()).await.0, 202);
    }
    let mut far = cluster.here().terminal("far", V1, &[]).await;
    cluster.here().command(TO_ALL, "150").await;
    for number in 0..=150 {
        assert_eq!(far.payload().await, number.to_string());
    }
    assert!(far.is_quiet());
}

async fn a_plain_terminal_gets_what_it_missed(cluster: Cluster) {
    cluster.there().was_here("far", Plain).await;
    let (_, command) = cluster.here().command(TO_FAR, "1").await;
    cluster.here().command(TO_ALL, "2").await;
    let mut far = cluster.there().terminal("far", Plain, &[]).await;
    assert_eq!((far.payload().await, far.payload().await), ("1".into(), "2".into()));
    cluster.here().counts(command["id"].as_str().unwrap(), 0, 1, 0).await;
    far.terminal.close().await;
    let mut far = cluster.here().terminal("far", Plain, &[]).await;
    cluster.here().command(TO_FAR, "3").await;
    assert_eq!(far.payload().await, "3", "what was sent does not come again");
}

async fn what_was_not_acknowledged_comes_again_and_what_was_does_not(cluster: Cluster) {
    let mut far = cluster.there().terminal_with("far", |config| config.acknowledge = false).await;
    for number in 1..=4 {
        let target = if number % 2 == 0 { TO_ALL } else { TO_FAR };
        cluster.here().command(target, &number.to_string()).await;
    }
    let mut ids = Vec::new();
    for _ in 1..=4 {
        ids.push(far.command().await.id);
    }
    for id in &ids[..2] {
        far.terminal
            .send(muster_protocol::frame::FromTerminal::Ack(muster_protocol::frame::Ack { id: *id }))
            .await
            .unwrap();
        cluster.here().counts(&id.to_string(), 0, 0, 1).await;
    }
    far.terminal.kill().await;
    // Without a memory: so it tells what came again.
    let mut far = cluster.here().terminal("far", V1, &[]).await;
    assert_eq!((far.payload().await, far.payload().await), ("3".into(), "4".into()));
    for id in &ids {
        cluster.here().counts(&id.to_string(), 0, 0, 1).await;
    }
    assert!(far.is_quiet());
}

/// A client that resumes behind a broadcast whose acknowledgement got lost is asked again, however much others got since.
async fn what_was_not_acknowledged_is_not_hidden_by_what_others_got(cluster: Cluster) {
    cluster.here().was_here("other", V1).await;
    let mut far = cluster.there().terminal_with("far", |config| config.acknowledge = false).await;
    cluster.here().command(TO_ALL, "1").await;
    for number in 0..300 {
        assert_eq!(cluster.here().command(r#"{"terminal":"other"}"#, &number.to_string()).await.0, 202);
    }
    cluster.here().command(TO_ALL, "2").await;
    far.command().await;
    let cursor = far.command().await.cursor;
    far.terminal.kill().await;
    let mut far = cluster.here().terminal_with("far", |config| config.cursor = cursor).await;
    assert_eq!((far.payload().await, far.payload().await), ("1".into(), "2".into()));
    assert!(far.is_quiet());
}

/// Commands go on while one program is started again and again, on one node and on the other: with its memory it runs each once
/// and in order, whatever was on its way when it ended.
async fn nothing_is_doubled_while_it_comes_back(cluster: Cluster) {
    let folder = tempfile::tempdir().unwrap();
    let remember = |config: &mut muster_client::Config| config.memory = Some(folder.path().join("far"));
    cluster.there().was_here("far", V1).await;
    let mut run = Vec::new();
    for life in 0..10 {
        let node = if life % 2 == 0 { cluster.here() } else { cluster.there() };
        let burst = async {
            for number in life * 20..life * 20 + 20 {
                let target = if number % 2 == 0 { TO_ALL } else { TO_FAR };
                cluster.here().command(target, &number.to_string()).await;
            }
        };
        let lived = async {
            let mut far = node.terminal_with("far", remember).await;
            run.push(far.command().await);
            far.terminal.kill().await;
            // The client has run every command that it received before it ended.
            while let Some(Incoming::Command { command, .. }) = far.told.recv().await {
                run.push(command);
            }
        };
        tokio::join!(burst, lived);
    }
    let mut far = cluster.here().terminal_with("far", remember).await;
    while run.len() < 200 {
        run.push(far.command().await);
    }
    let numbers: Vec<u32> = run.iter().map(|command| command.payload.as_json().parse().unwrap()).collect();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
}

async fn what_the_log_no_longer_has_is_a_gap(cluster: Cluster) {
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    cluster.here().command(TO_ALL, "0").await;
    let cursor = far.command().await.cursor;
    far.terminal.close().await;
    for number in 1..=8 {
        cluster.here().command(TO_ALL, &number.to_string()).await;
    }
    let mut far = cluster.here().terminal_with("far", |config| config.cursor = cursor.clone()).await;
    let Incoming::Gap(gap) = far.next().await else { panic!("no gap") };
    assert_eq!(Some(&gap.from), cursor.as_ref());
    let next: u32 = far.payload().await.parse().unwrap();
    assert!((5..=7).contains(&next), "{next}");
    for number in next + 1..=8 {
        assert_eq!(far.payload().await, number.to_string());
    }
}

async fn a_full_backlog_is_refused(cluster: Cluster) {
    cluster.there().was_here("far", V1).await;
    for number in 0..3 {
        assert_eq!(cluster.here().command(TO_FAR, &number.to_string()).await.0, 202);
    }
    let (status, problem) = cluster.here().command(TO_FAR, "3").await;
    assert!(status == 409 && problem["detail"].as_str().unwrap().contains("--backlog"), "{problem}");
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    for number in 0..3 {
        assert_eq!(far.payload().await, number.to_string());
    }
    until("there is room again", async || cluster.here().command(TO_FAR, "4").await.0 == 202).await;
    assert_eq!(far.payload().await, "4");
}

async fn what_finds_no_room_is_refused(cluster: Cluster) {
    const PAYLOAD: usize = 60_000;
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    let mut accepted = 0;
    let problem = loop {
        let payload = serde_json::to_string(&format!("{accepted:0PAYLOAD$}")).unwrap();
        match cluster.here().command(TO_FAR, &payload).await {
            (202, _) => accepted += 1,
            (status, problem) => break (status, problem),
        }
        assert!(accepted <= (16 << 20) / PAYLOAD, "{accepted} are stored");
    };
    assert!(problem.0 == 503 && problem.1["detail"].as_str().unwrap().contains("--max-stored"), "{problem:?}");
    for number in 0..accepted {
        assert_eq!(far.payload().await, format!("\"{number:0PAYLOAD$}\""));
    }
}

/// A store that was lost has another name: everyone is told, and nothing wrong is replayed.
#[tokio::test]
async fn after_the_store_was_lost_everyone_is_told() {
    let cluster = Cluster::redis(&[]).await;
    let mut near = cluster.here().terminal("near", V1, &[]).await;
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    cluster.here().command(TO_ALL, "1").await;
    assert_eq!((near.payload().await, far.payload().await), ("1".into(), "1".into()));
    cluster.redis.as_ref().unwrap().flush().await;
    for terminal in [&mut near, &mut far] {
        let told = terminal.next().await;
        assert!(matches!(&told, Incoming::Gap(gap) if gap.reason.contains("store")), "{told:?}");
    }
    until("both are registered again", async || cluster.get("/v1/fleet").await["online"] == 2).await;
    assert_eq!(cluster.here().command(TO_ALL, "2").await.1["targets"], 2);
    assert_eq!((near.payload().await, far.payload().await), ("2".into(), "2".into()));
}

/// A cursor that lies ahead of everything was not given out by this store: it is told so, and nobody else notices.
#[tokio::test]
async fn a_cursor_from_nowhere_is_a_gap() {
    let cluster = Cluster::redis(&[]).await;
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    cluster.here().command(TO_ALL, "1").await;
    let first = far.command().await;
    cluster.here().counts(&first.id.to_string(), 0, 0, 1).await;
    far.terminal.close().await;
    let cursor = first.cursor.unwrap();
    cluster.here().command(TO_FAR, "2").await;
    let (epoch, _) = cursor.split_once('-').unwrap();
    for number in ["999999999999999999", "18446744073709551615"] {
        let from_nowhere = format!("{epoch}-{number}");
        let mut far = cluster.there().terminal_with("far", |config| config.cursor = Some(from_nowhere)).await;
        assert!(matches!(far.next().await, Incoming::Gap(_)));
        if number.len() == 18 {
            assert_eq!(far.payload().await, "2");
        }
        far.terminal.close().await;
        until("it has left", async || cluster.get("/v1/terminals/far").await["status"] == "offline").await;
    }
}

/// A store that is full takes no command and says so; sessions, states and the registry go on.
#[tokio::test]
async fn a_store_without_memory_refuses_commands_and_nothing_else() {
    let cluster = Cluster::redis(&[]).await;
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    let (_, command) = cluster.here().command(TO_FAR, "1").await;
    far.payload().await;
    cluster.redis.as_ref().unwrap().fill().await;
    let (status, problem) = cluster.here().command(TO_FAR, "2").await;
    assert!(status == 503 && problem["detail"].as_str().unwrap().contains("maxmemory"), "{problem}");
    cluster.here().counts(command["id"].as_str().unwrap(), 0, 0, 1).await;
    cluster.here().was_here("newcomer", V1).await;
    assert_eq!(cluster.get("/v1/fleet").await["online"], 1);
    assert!(far.is_quiet());
}

/// A live session that joins again, since its node could not renew its lease, is told of no gap and gets nothing twice.
#[tokio::test]
async fn a_session_that_joins_again_goes_on_where_it_stood() {
    let cluster = Cluster::redis(&["--log", "5"]).await;
    let mut v1 = cluster.there().terminal("v1", V1, &[]).await;
    let mut plain = cluster.there().terminal("plain", Plain, &[]).await;
    for number in 0..20 {
        cluster.here().command(TO_ALL, &number.to_string()).await;
        assert_eq!((v1.payload().await, plain.payload().await), (number.to_string(), number.to_string()));
    }
    cluster.redis.as_ref().unwrap().forget_leases().await;
    until("all have joined again", async || cluster.get("/v1/nodes").await["nodes"].as_array().unwrap().len() == 2)
        .await;
    for number in 20..25 {
        cluster.here().command(TO_ALL, &number.to_string()).await;
        assert_eq!((v1.payload().await, plain.payload().await), (number.to_string(), number.to_string()));
    }
    assert!(v1.is_quiet() && plain.is_quiet());
}

/// A node hears late or never that it was taken for dead: its sessions are registered again all the same.
#[tokio::test]
async fn a_node_that_was_buried_unheard_registers_its_sessions_again() {
    let cluster = Cluster::redis(&[]).await;
    let mut v1 = cluster.there().terminal("v1", V1, &[]).await;
    let view = cluster.get("/v1/terminals/v1").await;
    cluster.redis.as_ref().unwrap().bury_unheard(view["node"].as_str().unwrap()).await;
    until("it is registered again", async || cluster.get("/v1/terminals/v1").await["status"] == "online").await;
    cluster.here().command(TO_ALL, "7").await;
    assert_eq!(v1.payload().await, "7");
}
