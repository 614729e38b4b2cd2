//! What a Redis must be for Muster, seen with real servers and users.

use muster_redis::{Connection, Fitness};

use muster_testkit::TestServer;

const KEY: &str = "{muster}:check";

fn connection(server: &TestServer, user: &str) -> Connection {
    Connection::new(format!("redis://{user}127.0.0.1:{}", server.port).parse().unwrap(), "{muster}")
}

async fn unfit(connection: &Connection) -> String {
    connection.check_requirements(Some(KEY)).await.unwrap().unfit().expect("it is not fit").to_string()
}

async fn fit(connection: &Connection, key: Option<&str>) -> Option<String> {
    match connection.check_requirements(key).await.unwrap() {
        Fitness::Fit(unchecked) => unchecked,
        Fitness::Unfit(why) => panic!("{why}"),
    }
}

#[tokio::test]
async fn a_redis_that_evicts_is_refused_until_it_does_not() {
    let server = TestServer::start("").await;
    let connection = connection(&server, "");
    assert_eq!(fit(&connection, Some(KEY)).await, None);
    for policy in ["allkeys-lru", "volatile-lru", "volatile-ttl"] {
        server.tell(&format!("CONFIG SET maxmemory-policy {policy}")).await;
        let told = unfit(&connection).await;
        assert!(told.contains(&format!("maxmemory-policy is {policy}: set `maxmemory-policy noeviction`")), "{told}");
    }
    server.tell("CONFIG SET maxmemory-policy noeviction").await;
    assert_eq!(fit(&connection, Some(KEY)).await, None);
    let left: i64 = server.ask(&format!("PTTL {KEY}")).await.unwrap();
    assert!((1..=10_000).contains(&left), "the key does not stay: {left}");
}

#[tokio::test]
async fn a_user_with_few_rights_is_checked_as_far_as_it_may_ask() {
    let server = TestServer::start("--maxmemory-policy allkeys-lru").await;
    for (rights, expected) in [
        ("+@all -config", Some("maxmemory-policy is allkeys-lru")),
        ("+@all -info", Some("maxmemory-policy is allkeys-lru")),
        ("+@all -info -config", None),
    ] {
        server.tell(&format!("ACL SETUSER node on nopass ~{{muster}}:* {rights}")).await;
        let connection = connection(&server, "node:x@");
        match expected {
            Some(expected) => assert!(unfit(&connection).await.contains(expected), "{rights}"),
            None => {
                let unchecked = fit(&connection, Some(KEY)).await.expect("something could not be checked");
                assert!(unchecked.contains("maxmemory-policy is noeviction (needs INFO or CONFIG GET)"), "{unchecked}");
                assert!(!unchecked.contains("version"), "HELLO tells it: {unchecked}");
            }
        }
    }
}

#[tokio::test]
async fn writes_that_are_not_allowed_or_not_taken_are_told_with_the_reason() {
    let server = TestServer::start("").await;
    server.tell("ACL SETUSER reader on nopass %R~{muster}:* +@all").await;
    let reader = connection(&server, "reader:x@");
    assert!(unfit(&reader).await.contains("may not write keys such as {muster}:check"));
    assert_eq!(fit(&reader, None).await, None, "one that only reads is not asked to write");
    let writer = connection(&server, "");
    for (words, told) in [
        ("CONFIG SET maxmemory 1", "Redis refuses writes: its memory is full; raise maxmemory"),
        ("CONFIG SET min-replicas-to-write 1", "it has fewer replicas than min-replicas-to-write"),
    ] {
        server.tell(words).await;
        assert!(unfit(&writer).await.contains(told), "{words}");
        server.tell("CONFIG SET maxmemory 0").await;
    }
}
