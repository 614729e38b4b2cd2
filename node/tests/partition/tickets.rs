//! Tickets of web pages.

use muster_node::backplane::TicketHash;

use crate::store::TestPartition;

/// A time that is not over, in milliseconds.
const FAR: &str = "9999999999999";

#[tokio::test]
async fn a_ticket_is_taken_once_and_not_after_it_has_expired() {
    let store = TestPartition::start().await;
    let (first, second) = (TicketHash::of("1"), TicketHash::of("2"));
    for ticket in [&first, &second] {
        assert_eq!(store.partition.put_ticket(ticket, "ann \u{e9} {}").await, Ok(true));
    }
    assert_eq!(store.partition.take_ticket(&first).await, Ok(Some("ann \u{e9} {}".into())));
    assert_eq!(store.partition.take_ticket(&first).await, Ok(None));
    let _: i64 = store.ask("ZADD", "tickets_due", &["1", second.as_str()]).await;
    assert_eq!(store.partition.take_ticket(&second).await, Ok(None));
    assert_eq!(store.ask::<i64>("EXISTS", "tickets", &[]).await, 0, "nothing is left of it");
}

#[tokio::test]
async fn tickets_are_bounded_and_those_that_expired_make_room() {
    let store = TestPartition::start().await;
    let fill = async |score: &str, count: usize| {
        let members: Vec<_> = (0..count).flat_map(|n| [score.to_owned(), format!("t{n}")]).collect();
        let members: Vec<_> = members.iter().map(String::as_str).collect();
        let _: i64 = store.ask("ZADD", "tickets_due", &members).await;
    };
    fill(FAR, 1000).await;
    assert_eq!(store.partition.put_ticket(&TicketHash::of("1"), "ann").await, Ok(false));
    assert_eq!(store.ask::<i64>("EXISTS", "tickets", &[]).await, 0);
    fill("1", 500).await;
    assert_eq!(store.partition.put_ticket(&TicketHash::of("1"), "ann").await, Ok(true));
    assert_eq!(store.ask::<i64>("ZCARD", "tickets_due", &[]).await, 1000 - 16 + 1, "16 are removed at a time");
}
