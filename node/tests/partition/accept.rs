//! A command for named terminals.

use jiff::{SignedDuration, Timestamp};
use muster_node::backplane::{BackplaneError, Cursor, redis::partition::PartitionAccepted};
use serde_json::json;

use crate::{
    commands::{ask, bounds, draft, json_of, keyed, terminals},
    store::TestPartition,
};

#[tokio::test]
async fn a_command_for_one_terminal_is_stored_and_sent_to_its_node() {
    let store = TestPartition::start().await;
    store.register(0, 3, Some("n1")).await;
    let mut inbox = store.listen("inbox:n1").await;
    let (draft, bounds) = (draft(r#""expires_in":"90s","stagger":"2s""#), bounds());
    let accepted = store.partition.accept_one(&ask(&draft, &bounds), &terminals(&[1])).await.unwrap();
    let PartitionAccepted::New { created_at, expires_at, targets, online, place } = accepted else {
        panic!("{accepted:?}")
    };
    assert_eq!((targets, online), (1, 1));
    assert!(created_at.duration_since(Timestamp::now()).abs().as_secs() < 2, "{created_at}");
    assert_eq!(expires_at.duration_since(created_at), SignedDuration::from_secs(90));
    assert!(place.number >= created_at.as_millisecond() as u64, "a number is never below the time");

    let sent = json_of(&mut inbox).await;
    let id = draft.frame.id;
    let frame = json!({"expires_at": expires_at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(), "id": id.to_string(), "name": "show",
        "payload": {"page": 1}, "stagger_ms": 2000});
    let expected = json!({"deliver": {"epoch": place.epoch, "number": place.number, "prev": 0, "to": {"terminals": ["t1"]}, "command": frame}});
    assert_eq!(sent, expected);
    assert_eq!(store.field(id, "frame").await.unwrap().parse::<serde_json::Value>().unwrap(), frame);
    assert_eq!((store.backlog(1).await, store.backlog(0).await), (vec![id.to_string()], vec![]));

    let second = self::draft("");
    store.partition.accept_one(&ask(&second, &bounds), &terminals(&[2])).await.unwrap();
    let sent = json_of(&mut inbox).await;
    assert_eq!(sent["deliver"]["prev"], place.number, "a node finds out what it missed of its inbox");
}

#[tokio::test]
async fn a_number_is_above_the_last_and_never_below_the_time() {
    let store = TestPartition::start().await;
    store.register(0, 1, None).await;
    let bounds = bounds();
    let accept = async || {
        let accepted = store.partition.accept_one(&ask(&draft(""), &bounds), &terminals(&[0])).await.unwrap();
        let PartitionAccepted::New { created_at, place, .. } = accepted else { panic!("{accepted:?}") };
        (created_at.as_millisecond() as u64, place.number)
    };
    let (_, first) = accept().await;
    store.let_pass(50).await;
    let (time, second) = accept().await;
    assert!(second > first && second >= time, "{second} at {time}");
    let ahead = time + 1_000_000;
    let () = store.ask("SET", "seq", &[&ahead.to_string()]).await;
    assert_eq!(accept().await.1, ahead + 1);
}

#[tokio::test]
async fn the_targets_of_several_nodes_share_a_rate() {
    let store = TestPartition::start().await;
    store.register(0, 3, Some("n1")).await;
    store.register(3, 4, Some("n2")).await;
    store.register(4, 5, None).await;
    let (mut first, mut second) = (store.listen("inbox:n1").await, store.listen("inbox:n2").await);
    let (draft, bounds) = (draft(r#""rate":10"#), bounds());
    let accepted = store.partition.accept_one(&ask(&draft, &bounds), &terminals(&[4, 3, 0, 2])).await.unwrap();
    assert!(matches!(accepted, PartitionAccepted::New { targets: 4, online: 3, .. }), "{accepted:?}");
    let (first, second) = (json_of(&mut first).await, json_of(&mut second).await);
    assert_eq!(first["deliver"]["to"], json!({"terminals": ["t0", "t2"]}));
    assert_eq!(second["deliver"]["to"], json!({"terminals": ["t3"]}));
    let rates = [&first, &second].map(|sent| sent["deliver"]["rate"].as_f64().unwrap());
    assert!((rates[0] - 20.0 / 3.0).abs() < 1e-9 && (rates[1] - 10.0 / 3.0).abs() < 1e-9, "{rates:?}");
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let store = TestPartition::start().await;
    store.register(0, 2, Some("n1")).await;
    store.register(2, 4, None).await;
    let (skip, mut bounds) = (draft(r#""offline":"skip""#), bounds());
    let refused = store.partition.accept_one(&ask(&skip, &bounds), &terminals(&[0, 7, 1, 8])).await;
    assert_eq!(refused, Err(BackplaneError::Unknown(terminals(&[7, 8]))));
    let refused = store.partition.accept_one(&ask(&skip, &bounds), &terminals(&[0, 2, 3])).await;
    assert_eq!(refused, Err(BackplaneError::Offline(terminals(&[2, 3]))));
    bounds.bytes = 1000;
    let refused = store.partition.accept_one(&ask(&skip, &bounds), &terminals(&[0])).await;
    assert_eq!(refused, Err(BackplaneError::NoRoom(0)));
    assert!(store.is_untouched().await);
}

#[tokio::test]
async fn a_session_of_a_node_without_a_lease_is_offline() {
    let store = TestPartition::start().await;
    store.register(0, 1, Some("n1")).await;
    let () = store.ask("ZADD", "nodes", &["1", "n1"]).await;
    let (skip, bounds) = (draft(r#""offline":"skip""#), bounds());
    let refused = store.partition.accept_one(&ask(&skip, &bounds), &terminals(&[0])).await;
    assert_eq!(refused, Err(BackplaneError::Offline(terminals(&[0]))));
}

#[tokio::test]
async fn a_full_backlog_refuses_until_what_is_in_it_is_over() {
    let store = TestPartition::start().await;
    store.register(0, 2, None).await;
    let mut bounds = bounds();
    bounds.backlog = 1;
    let (short, long) = (draft(r#""expires_in":"300ms""#), draft(""));
    store.partition.accept_one(&ask(&short, &bounds), &terminals(&[0])).await.unwrap();
    let refused = store.partition.accept_one(&ask(&long, &bounds), &terminals(&[0, 1])).await;
    assert_eq!(refused, Err(BackplaneError::Full(terminals(&[0]))));
    store.let_pass(310).await;
    store.partition.accept_one(&ask(&long, &bounds), &terminals(&[0, 1])).await.unwrap();
    assert_eq!(store.backlog(0).await, [long.frame.id.to_string()]);
}

#[tokio::test]
async fn a_key_is_one_command_and_one_body() {
    let store = TestPartition::start().await;
    store.register(0, 2, Some("n1")).await;
    let bounds = bounds();
    let (first, again, other) = (keyed("k", "a"), keyed("k", "a"), keyed("k", "b"));
    store.partition.accept_one(&ask(&first, &bounds), &terminals(&[0])).await.unwrap();
    let repeated = store.partition.accept_one(&ask(&again, &bounds), &terminals(&[0])).await;
    assert_eq!(repeated, Ok(PartitionAccepted::Before(first.frame.id)));
    let refused = store.partition.accept_one(&ask(&other, &bounds), &terminals(&[0])).await;
    assert_eq!(refused, Err(BackplaneError::OtherBody(first.frame.id)));
    let unkeyed = draft("");
    store.partition.accept_one(&ask(&unkeyed, &bounds), &terminals(&[0])).await.unwrap();
    let repeated = store.partition.accept_one(&ask(&unkeyed, &bounds), &terminals(&[0])).await;
    assert_eq!(repeated, Ok(PartitionAccepted::Before(unkeyed.frame.id)), "an id is accepted once");
}

#[tokio::test]
async fn a_store_that_lacks_what_was_seen_of_it_gets_another_name() {
    let store = TestPartition::start().await;
    store.register(0, 1, None).await;
    let mut broadcast = store.listen("broadcast").await;
    let (bounds, drafts) = (bounds(), [0; 4].map(|_| draft("")));
    let accept = async |at: usize, seen: Option<&Cursor>| {
        let mut ask = ask(&drafts[at], &bounds);
        ask.seen = seen;
        match store.partition.accept_one(&ask, &terminals(&[0])).await {
            Ok(PartitionAccepted::New { place, .. }) => place,
            other => panic!("{other:?}"),
        }
    };
    let first = accept(0, None).await;
    assert_eq!(json_of(&mut broadcast).await, json!("renamed"));
    let second = accept(1, Some(&first)).await;
    assert_eq!(first.epoch, second.epoch);
    assert!(second.number > first.number);
    let lost = Cursor { epoch: second.epoch.clone(), number: second.number + 1_000_000 };
    let third = accept(2, Some(&lost)).await;
    assert_eq!(json_of(&mut broadcast).await, json!("renamed"));
    assert!(third.epoch != second.epoch && third.number > lost.number, "{third} after {lost}");
    assert_eq!(accept(3, Some(&second)).await.epoch, third.epoch, "the number of another store says nothing");
}

#[tokio::test]
async fn the_log_keeps_its_bound_and_marks_what_it_trims() {
    let store = TestPartition::start().await;
    store.register(0, 1, None).await;
    let mut bounds = bounds();
    bounds.log = 2;
    let mut places = Vec::new();
    for _ in 0..4 {
        let accepted = store.partition.accept_one(&ask(&draft(""), &bounds), &terminals(&[0])).await.unwrap();
        let PartitionAccepted::New { place, .. } = accepted else { panic!("{accepted:?}") };
        places.push(place.number);
    }
    let (length, trimmed): (u64, u64) =
        (store.ask("XLEN", "log", &[]).await, store.ask("HGET", "marks", &["trimmed"]).await);
    assert_eq!((length, trimmed), (2, places[1]));
    assert_eq!(store.ask::<Option<u64>>("HGET", "marks", &["lost"]).await, None, "its target has it in its backlog");
}

#[tokio::test]
async fn a_log_that_refuses_a_number_refuses_the_command_whole() {
    let store = TestPartition::start().await;
    store.register(0, 1, None).await;
    let () =
        store.ask("XADD", "log", &["99999999999999-0", "id", "x", "kind", "few", "expires", "99999999999999"]).await;
    let () = store.ask("SET", "epoch", &["00000001"]).await;
    let bounds = bounds();
    let refused = store.partition.accept_one(&ask(&draft(""), &bounds), &terminals(&[0])).await;
    assert_eq!(refused, Err(BackplaneError::Unsure));
    assert_eq!(store.backlog(0).await, Vec::<String>::new());
    assert_eq!(store.ask::<Option<i64>>("GET", "used", &[]).await, None);
    assert_eq!(store.ask::<Option<i64>>("GET", "accepted", &[]).await, None);
}

#[tokio::test]
async fn what_has_expired_is_forgotten_for_want_of_room() {
    let store = TestPartition::start().await;
    store.register(0, 1, None).await;
    let mut bounds = bounds();
    bounds.bytes = 2500;
    let (short, long) = (draft(r#""expires_in":"200ms""#), draft(""));
    store.partition.accept_one(&ask(&short, &bounds), &terminals(&[0])).await.unwrap();
    let refused = store.partition.accept_one(&ask(&long, &bounds), &terminals(&[0])).await;
    assert!(matches!(refused, Err(BackplaneError::NoRoom(1500..2500))), "{refused:?}");
    store.let_pass(210).await;
    store.partition.accept_one(&ask(&long, &bounds), &terminals(&[0])).await.unwrap();
    assert_eq!(store.field(short.frame.id, "of").await, None);
    assert_eq!(store.ask::<Vec<String>>("ZRANGE", "homes", &["0", "-1"]).await, [long.frame.id.to_string()]);
}
