//! Streams of events: which events they have, how they go on, and how many there may be.

use jiff::Timestamp;
use muster_protocol::{
    Payload,
    api::Protocol::{Plain, V1},
    token::Scope,
};
use muster_testkit::{
    follower::EventFollower,
    http::{events_at, request},
    token::{key_of, key_until},
    wait::until,
};
use serde_json::Value;

use crate::cluster::Cluster;

crate::on_both!(
    a_stream_has_what_meets_every_condition,
    a_stream_goes_on_where_its_client_was,
    many_streams_have_the_same_events,
    the_targets_of_a_command_are_told_one_by_one,
    a_terminal_that_is_removed_goes_by_the_labels_that_it_had,
    what_a_stream_can_t_be_of_is_refused
);

mod bounded {
    crate::on_both!(a_key_has_so_many_streams_and_gets_another_when_one_ends | ["--max-event-streams-per-key", "2"]);
    use super::a_key_has_so_many_streams_and_gets_another_when_one_ends;
}

mod with_keys {
    crate::on_both!(a_stream_ends_when_its_key_expires | ["--secret", muster_testkit::token::SECRET]);
    use super::a_stream_ends_when_its_key_expires;
}

/// All stored events that a stream with this query has, as kind and data.
pub async fn stored(cluster: &Cluster, query: &str) -> Vec<(String, Value)> {
    let text = events_at(cluster.here().address, &format!("/v1/events?{query}")).await;
    let events = text.split("event: ").skip(1);
    let read = |event: &str| {
        let (kind, rest) = event.split_once("\ndata: ").unwrap();
        (kind.to_owned(), serde_json::from_str(rest.lines().next().unwrap()).unwrap())
    };
    events.map(read).collect()
}

async fn label(cluster: &Cluster, terminal: &str, labels: &str) {
    assert_eq!(cluster.ask("PUT", &format!("/v1/terminals/{terminal}/labels"), labels).await.0, 200);
}

/// The same in words: the kind, and the terminal if there is one.
async fn words(cluster: &Cluster, query: &str) -> Vec<String> {
    let words = |(kind, data): (String, Value)| format!("{kind} {}", data["terminal"].as_str().unwrap_or("-"));
    let mut all: Vec<_> = stored(cluster, query).await.into_iter().map(words).collect();
    // Events of two terminals may be in either order.
    all.sort_unstable();
    all
}

async fn a_stream_has_what_meets_every_condition(cluster: Cluster) {
    let mut near = cluster.here().terminal("near", V1, &[("site", "bj"), ("kind", "kiosk")]).await;
    let far = cluster.there().terminal("far", Plain, &[]).await;
    label(&cluster, "far", r#"{"site":"sh","kind":"kiosk"}"#).await;
    far.terminal.send_text("open").await.unwrap();
    let command = cluster.here().command(r#"{"terminal":"near"}"#, "1").await.1["id"].as_str().unwrap().to_owned();
    near.payload().await;
    until("all is told", async || {
        let all = words(&cluster, "").await;
        ["terminal.event far", "command.done -"].iter().all(|event| all.iter().any(|told| told == event))
    })
    .await;
    assert_eq!(
        words(&cluster, "kind=terminal.online,terminal.event").await,
        ["terminal.event far", "terminal.online far", "terminal.online near"]
    );
    assert_eq!(words(&cluster, "terminal=far").await, ["terminal.event far", "terminal.online far"]);
    assert_eq!(words(&cluster, "selector=site%3Dbj").await, ["terminal.online near"]);
    assert_eq!(words(&cluster, "selector=kind%3Dkiosk,site%3Dsh&kind=terminal.event").await, ["terminal.event far"]);
    assert_eq!(words(&cluster, "selector=site%3Dnowhere").await, [""; 0]);
    assert_eq!(words(&cluster, &format!("command={command}&kind=command.done")).await, ["command.done -"]);
    let of_command = stored(&cluster, &format!("command={command}")).await;
    assert!(of_command.len() >= 2 && of_command.iter().all(|(_, data)| data["command"] == command), "{of_command:?}");
}

async fn a_stream_goes_on_where_its_client_was(cluster: Cluster) {
    let far = cluster.there().terminal("far", Plain, &[]).await;
    label(&cluster, "far", r#"{"site":"sh"}"#).await;
    let _near = cluster.here().terminal("near", V1, &[]).await;
    let path = "/v1/events?kind=terminal.event&selector=site%3Dsh";
    let mut first = EventFollower::open(cluster.here().address, path, None).await;
    for number in 1..=3 {
        far.terminal.send_text(format!("number-{number}")).await.unwrap();
        first.read_until(&format!("number-{number}")).await;
    }
    assert!(!first.text.contains("terminal.online"), "{}", first.text);
    let last = first.last_id().to_owned();
    drop(first);
    far.terminal.send_text("number-4").await.unwrap();
    // On another node of the cluster too.
    let mut second = EventFollower::open(cluster.there().address, path, Some(&last)).await;
    far.terminal.send_text("number-5").await.unwrap();
    second.read_until("number-5").await;
    assert_eq!(second.text.matches("number-").count(), 2, "{}", second.text);
    assert!(second.text.contains("number-4"));
}

async fn many_streams_have_the_same_events(cluster: Cluster) {
    let far = cluster.there().terminal("far", Plain, &[]).await;
    let path = "/v1/events?terminal=far&kind=terminal.event";
    let mut followers = Vec::new();
    for _ in 0..8 {
        followers.push(EventFollower::open(cluster.here().address, path, None).await);
    }
    // Streams go over to what the node reads for all of them, while events come.
    for number in 100..130 {
        far.terminal.send_text(format!("number-{number}")).await.unwrap();
        followers[0].read_until(&format!("number-{number}")).await;
    }
    for follower in &mut followers {
        follower.read_until("number-129").await;
        let numbers: Vec<_> = follower.text.split("number-").skip(1).map(|rest| &rest[..3]).collect();
        assert_eq!(numbers, (100..130).map(|number| number.to_string()).collect::<Vec<_>>());
    }
}

async fn the_targets_of_a_command_are_told_one_by_one(cluster: Cluster) {
    let (mut far, _off) = (cluster.there().terminal("far", V1, &[]).await, cluster.here().was_here("off", V1).await);
    let body = r#"{"target":{"terminals":["far","off"]},"name":"open","confirm":"result"}"#;
    let (status, command) = cluster.ask("POST", "/v1/commands", body).await;
    assert_eq!(status, 202, "{command}");
    let received = far.command().await;
    let path = format!("/v1/events?command={}&kind=command.target&detail=1", received.id);
    let mut follower = EventFollower::open(cluster.here().address, &path, None).await;
    let told = |state: &str| format!(r#"command":"{}","state":"{state}","terminal":"far"#, received.id);
    follower.read_until(r#""state":"acked","terminal":"far""#).await;
    far.terminal.result(received.id, true, Payload::from_text("done")).await.unwrap();
    follower.read_until(r#""state":"succeeded","terminal":"far""#).await;
    assert!(follower.text.contains(&told("succeeded")), "{}", follower.text);
    assert!(!follower.text.contains("\"off\"") && !follower.text.contains("command.state"), "{}", follower.text);
    let mut again = EventFollower::open(cluster.there().address, &path, Some(follower.last_id())).await;
    again.read_until(r#""state":"succeeded","terminal":"far""#).await;
}

async fn a_terminal_that_is_removed_goes_by_the_labels_that_it_had(cluster: Cluster) {
    let far = cluster.there().terminal("far", V1, &[("site", "sh")]).await;
    label(&cluster, "far", r#"{"floor":"2"}"#).await;
    assert_eq!(cluster.ask("DELETE", "/v1/terminals/far", "").await.0, 200);
    let query = "selector=site%3Dsh,floor%3D2";
    until("it is told that it is gone", async || !stored(&cluster, query).await.is_empty()).await;
    let told = stored(&cluster, query).await;
    assert_eq!((told.len(), told[0].1["reason"].as_str()), (1, Some("removed")), "{told:?}");
    assert_eq!(stored(&cluster, "selector=site%3Dbj").await.len(), 0);
    drop(far);
}

async fn what_a_stream_can_t_be_of_is_refused(cluster: Cluster) {
    for (query, parts) in [
        ("kind=terminal.onlin", ["kind:", "terminal.online"]),
        ("since=1", ["\"since\"", "kind, terminal, selector, match, command"]),
        ("selector=site", ["selector:", "key=value"]),
        ("terminal=a%20b", ["terminal:", "id"]),
        ("command=7", ["command:", "UUID"]),
        ("detail=1", ["detail:", "command=ID"]),
    ] {
        let (status, problem) = cluster.ask("GET", &format!("/v1/events?{query}"), "").await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert_eq!(status, 400, "{query}: {problem}");
        assert!(parts.iter().all(|part| detail.contains(part)), "{query}: {detail}");
    }
    let unknown = "/v1/events?detail=1&command=0198c0de-0000-7000-8000-000000000001";
    assert_eq!(cluster.ask("GET", unknown, "").await.0, 404);
}

async fn a_key_has_so_many_streams_and_gets_another_when_one_ends(cluster: Cluster) {
    let address = cluster.here().address;
    let first = EventFollower::open(address, "/v1/events", None).await;
    let _second = EventFollower::open(address, "/v1/events", None).await;
    let (status, head, body) = request(address, "GET /v1/events HTTP/1.1\r\n").await;
    assert_eq!(status, 429, "{body}");
    assert!(
        head.to_lowercase().contains("retry-after: 10") && body.contains("--max-event-streams-per-key"),
        "{head}{body}"
    );
    drop(first);
    let mut opened = None;
    until("another may be opened", async || {
        let third = EventFollower::open(address, "/v1/events", None).await;
        opened = Some(third).filter(|third| third.text.starts_with("HTTP/1.1 200"));
        opened.is_some()
    })
    .await;
}

async fn a_stream_ends_when_its_key_expires(cluster: Cluster) {
    let (address, exp) = (cluster.here().address, Timestamp::now().as_second() as u64 + 2);
    let header = format!("Authorization: Bearer {}\r\n", key_until(exp, "ann", Scope::Read));
    let lasting = format!("Authorization: Bearer {}\r\n", key_of("ann", Scope::Read));
    let mut other = EventFollower::open_with(address, "/v1/events", &lasting).await;
    let mut follower = EventFollower::open_with(address, "/v1/events", &header).await;
    follower.read_to_end().await;
    assert!(Timestamp::now().as_second() as u64 > exp, "{}", follower.text);
    let last = follower.text.rsplit("event: ").next().unwrap();
    assert!(last.starts_with("expired\n") && last.contains("Last-Event-ID"), "{}", follower.text);
    let request_again = format!("GET /v1/events HTTP/1.1\r\n{header}");
    assert_eq!(request(address, &request_again).await.0, 401);
    let _terminal = cluster.there().terminal("far", Plain, &[]).await;
    other.read_until("terminal.online").await;
    assert!(!other.text.contains("expired"), "{}", other.text);
}
