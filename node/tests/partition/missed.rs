//! What a session missed.

use muster_node::{
    backplane::{Cursor, GapReason, JoinRequest},
    end::SessionEnd,
};
use muster_protocol::api::Protocol;

use crate::{
    fixtures::{ids, node, session, with},
    store::TestPartition,
};

#[tokio::test]
async fn what_was_missed_comes_in_order() {
    let store = TestPartition::start().await;
    let request = session("a");
    let (ordinal, point) = store.joined(&request, "n1").await;
    let began = point.cursor.number;
    assert!(store.partition.leave(&request.info, &node("n1"), SessionEnd::Left, began).await.unwrap());
    let mut sent = Vec::new();
    for n in 0..150 {
        let (id, _) = if n % 3 == 0 { store.few(1, ordinal).await } else { store.many(1, &[ordinal, 9]).await };
        sent.push(id);
        store.many(1, &[9]).await;
    }
    let (_, point) = store.joined(&session("a"), "n1").await;
    assert_eq!(ids(&point.missed), sent);
    assert_eq!(point.cursor.number, began + 300);
    assert!(point.missed.iter().enumerate().all(|(n, missed)| missed.to_all == (n % 3 != 0)));
}

#[tokio::test]
async fn what_was_confirmed_has_expired_or_is_cancelled_does_not_come() {
    let store = TestPartition::start().await;
    let (ordinal, point) = store.joined(&session("a"), "n1").await;
    let began = point.cursor.number;
    let (acked, _) = store.many(1, &[ordinal]).await;
    let (done, _) = store.many(1, &[ordinal]).await;
    let (sent, _) = store.many(1, &[ordinal]).await;
    store.mark(acked, "acked", ordinal).await;
    store.mark(done, "succeeded", ordinal).await;
    store.mark(sent, "sent", ordinal).await;
    for (id, _) in [store.many(1, &[ordinal]).await, store.few(1, ordinal).await] {
        let _: u64 = store.ask("HSET", &format!("command:{id}"), &["cancelled_at", "1"]).await;
    }
    let (expired, _) = store.few(1, ordinal).await;
    let _: u64 = store.ask("HSET", &format!("command:{expired}"), &["expires", "1"]).await;
    assert_eq!(store.missed_behind("a", began).await, [sent]);
    let backlog: u64 = store.ask("ZCARD", &format!("backlog:{ordinal}"), &[]).await;
    assert_eq!(backlog, 0, "what can't be sent any more leaves the backlog");
    let plain = with(session("a"), |info| info.protocol = Protocol::Plain);
    assert!(store.joined(&plain, "n1").await.1.missed.is_empty(), "a plain terminal has what was sent");
}

#[tokio::test]
async fn a_terminal_of_which_nothing_is_open_costs_no_look_at_open() {
    let store = TestPartition::start().await;
    let (ordinal, _) = store.joined(&session("a"), "n1").await;
    for _ in 0..20 {
        let (id, _) = store.many(1, &[ordinal]).await;
        store.mark(id, "acked", ordinal).await;
    }
    assert!(store.joined(&session("a"), "n1").await.1.missed.is_empty());
    store.call::<()>(redis::cmd("CONFIG").arg("RESETSTAT")).await;
    assert!(store.joined(&session("a"), "n1").await.1.missed.is_empty());
    let calls = store.calls().await;
    assert!(calls["getbit"] <= 2 && !calls.contains_key("zcount"), "{calls:?}");
    let (id, _) = store.many(1, &[ordinal]).await;
    let patient = JoinRequest { patient: true, ..session("a") };
    assert_eq!(ids(&store.joined(&patient, "n1").await.1.missed), [id]);
}

#[tokio::test]
async fn no_call_looks_at_more_than_its_bound_of_open_commands() {
    let store = TestPartition::start().await;
    let (ordinal, _) = store.joined(&session("a"), "n1").await;
    for _ in 0..1000 {
        store.many(1, &[9]).await;
    }
    let (id, _) = store.many(1, &[ordinal]).await;
    store.call::<()>(redis::cmd("CONFIG").arg("RESETSTAT")).await;
    assert_eq!(store.missed_behind("a", 1).await, [id]);
    let calls = store.calls().await;
    assert_eq!(calls["time"], 8, "each call asks once for the time, and looks at 128: {calls:?}");
}

#[tokio::test]
async fn a_few_before_the_cursor_come_again_unless_they_were_acknowledged() {
    let store = TestPartition::start().await;
    let (ordinal, _) = store.joined(&session("a"), "n1").await;
    let mut sent = Vec::new();
    for _ in 0..300 {
        sent.push(store.many(5, &[ordinal]).await);
    }
    let (last, cursor) = sent[299];
    store.mark(last, "acked", ordinal).await;
    let missed = store.missed_behind("a", cursor).await;
    assert_eq!(missed, sent[300 - 256..299].iter().map(|(id, _)| *id).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_new_terminal_gets_nothing_that_was_accepted_before() {
    let store = TestPartition::start().await;
    let (ordinal, _) = store.joined(&session("a"), "n1").await;
    store.many(1, &[ordinal]).await;
    let (_, point) = store.joined(&session("b"), "n1").await;
    assert!(point.missed.is_empty() && point.lost.is_none());
}

#[tokio::test]
async fn a_cursor_that_this_store_did_not_give_or_that_lies_too_far_back_is_a_gap() {
    let store = TestPartition::start().await;
    let (ordinal, point) = store.joined(&session("a"), "n1").await;
    let (id, number) = store.many(1, &[ordinal]).await;
    let lost = async |cursor| {
        store.joined(&JoinRequest { cursor: Some(cursor), patient: true, ..session("a") }, "n1").await.1.lost
    };
    let epoch = point.cursor.epoch.clone();
    assert_eq!(lost(Cursor { epoch: epoch.clone(), number }).await, None);
    assert_eq!(lost(Cursor { epoch: epoch.clone(), number: u64::MAX }).await, Some(GapReason::Store));
    assert_eq!(lost(Cursor { epoch: "00000000".into(), number }).await, Some(GapReason::Store));
    let _: u64 = store.ask("HSET", "marks", &["lost", &number.to_string()]).await;
    assert_eq!(lost(Cursor { epoch: epoch.clone(), number }).await, None);
    assert_eq!(lost(Cursor { epoch, number: number - 1 }).await, Some(GapReason::Trimmed(number)));
    assert_eq!(ids(&store.joined(&session("a"), "n1").await.1.missed), [id]);
}

#[tokio::test]
async fn a_few_sessions_that_look_in_vain_save_the_others_their_looks() {
    let store = TestPartition::start().await;
    let (terminals, mut ordinals) = (["a", "b", "c", "d", "e", "f"], Vec::new());
    for terminal in terminals {
        ordinals.push(store.joined(&session(terminal), "n1").await.0);
    }
    for _ in 0..200 {
        let (id, _) = store.many(1, &ordinals).await;
        for ordinal in &ordinals {
            store.mark(id, "acked", *ordinal).await;
        }
    }
    for terminal in &terminals[..4] {
        assert!(store.missed_behind(terminal, 1).await.is_empty());
    }
    let () = store.call(redis::cmd("CONFIG").arg("RESETSTAT")).await;
    for terminal in &terminals[4..] {
        assert!(store.missed_behind(terminal, 1).await.is_empty());
    }
    let calls = store.calls().await;
    assert!(!calls.contains_key("zcount") && !calls.contains_key("bitop"), "four have looked at 64 each: {calls:?}");
    // A command that one of them has not acknowledged is found.
    let (id, _) = store.many(1, &ordinals).await;
    assert_eq!(store.missed_behind("a", 1).await, [id]);
}

#[tokio::test]
async fn sessions_that_look_in_vain_work_on_one_round_in_a_while() {
    let store = TestPartition::start().await;
    let (ordinal, _) = store.joined(&session("a"), "n1").await;
    let (old, _) = store.many(1, &[ordinal]).await;
    let mut number = 0;
    for _ in 0..300 {
        let (id, last) = store.many(1, &[ordinal]).await;
        store.mark(id, "acked", ordinal).await;
        number = last;
    }
    // The old one lies before where a session with this cursor looks, so its bit stays, and each session looks in vain.
    let epoch: String = store.ask("GET", "epoch", &[]).await;
    let has_looked = async || {
        let () = store.call(redis::cmd("CONFIG").arg("RESETSTAT")).await;
        let cursor = Some(Cursor { epoch: epoch.clone(), number });
        let request = JoinRequest { cursor, patient: true, ..session("a") };
        assert!(!ids(&store.joined(&request, "n1").await.1.missed).contains(&old));
        store.calls().await.contains_key("bitop")
    };
    for _ in 0..5 {
        assert!(has_looked().await, "301 commands, 64 a call");
    }
    let _: String = store.ask("SET", "confirm_rest", &["1"]).await;
    assert!(!has_looked().await, "a round has ended");
    let _: u32 = store.ask("DEL", "confirm_rest", &[]).await;
    assert!(has_looked().await);
}

#[tokio::test]
async fn who_has_confirmed_everything_is_found_without_a_join() {
    let store = TestPartition::start().await;
    let (ordinal, _) = store.joined(&session("a"), "n1").await;
    let round = async || {
        let mut calls = 1;
        while {
            let _: u32 = store.ask("DEL", "confirm_rest", &[]).await;
            !store.partition.confirm().await.unwrap()
        } {
            calls += 1;
        }
        calls
    };
    assert!(!store.partition.confirm().await.unwrap(), "nothing is open");
    for n in 0..150 {
        let (id, _) = store.many(1, &[ordinal, 9]).await;
        store.mark(id, "acked", ordinal).await;
        if n == 70 {
            let _: u64 = store.ask("HSET", &format!("command:{id}"), &["cancelled_at", "1"]).await;
        } else if n != 140 {
            store.mark(id, "acked", 9).await;
        }
    }
    assert!(!store.partition.confirm().await.unwrap(), "64 of 150");
    assert!(!store.partition.confirm().await.unwrap(), "it rests");
    // Accepted in the midst of a round.
    let (later, _) = store.many(1, &[77]).await;
    assert_eq!(round().await, 2);
    let bits = [
        store.bit("unconfirmed", ordinal).await,
        store.bit("unconfirmed", 9).await,
        store.bit("unconfirmed", 77).await,
    ];
    assert_eq!(bits, [false, true, true]);
    store.mark(later, "acked", 77).await;
    assert_eq!(round().await, 3);
    assert!(!store.bit("unconfirmed", 77).await);
}
