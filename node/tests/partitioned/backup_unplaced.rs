//! What belongs to no terminal, in a store that is exported and imported.

use muster_testkit::{
    http::{exchange, get},
    token::SECRET,
};
use serde_json::{Value, json};

use crate::backup::BackupTest;

async fn post(address: std::net::SocketAddr, path: &str, body: &Value) -> (u16, Value) {
    muster_testkit::http::post(address, path, &body.to_string()).await
}

async fn put(address: std::net::SocketAddr, path: &str, body: &Value) -> Value {
    let body = body.to_string();
    let head = format!("PUT {path} HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    let (status, _, answer) = exchange(address, &head, &body).await;
    assert_eq!(status, 200, "{path}: {answer}");
    serde_json::from_str(&answer).unwrap()
}

#[tokio::test]
async fn revocations_codes_keys_selectors_and_notices_are_the_same_in_another_store() {
    let test = BackupTest::start().await;
    let start = async |partitions: &str| {
        let redis = ["--redis", &test.redis.url, "--partitions", partitions];
        muster_testkit::TestNode::start(&[&["--insecure", "--secret", SECRET][..], &redis].concat()).await
    };
    let node = start("3").await;
    let at = node.address;
    for (path, body) in [
        ("/v1/revocations", json!({ "terminal": "lost-box" })),
        ("/v1/revocations", json!({ "token_id": "stolen" })),
        ("/v1/keys", json!({ "name": "ann", "scope": "read", "labels": { "shop": "7" } })),
        ("/v1/enrolments", json!({ "labels": { "site": "bj" } })),
    ] {
        assert_eq!(post(at, path, &body).await.0, 201, "{path}");
    }
    let (_, waiting) = post(at, "/v1/enrolments", &json!({ "approve": true })).await;
    let enrol = json!({ "code": waiting["code"], "terminal": "box-1" });
    assert_eq!(post(at, "/v1/enrol", &enrol).await.0, 202);
    put(at, "/v1/selectors/bj", &json!({ "match": "site = bj" })).await;
    let notice = json!({ "url": "https://1.1.1.1/hook", "on": ["terminal.away"], "match": "site = bj" });
    let secret = put(at, "/v1/notices/ops", &notice).await["secret"].as_str().unwrap().to_owned();
    let paths = ["/v1/revocations", "/v1/keys", "/v1/enrolments", "/v1/selectors", "/v1/notices"];
    let mut before = Vec::new();
    for path in paths {
        before.push(get(at, path).await.1);
    }
    node.stop().await;
    test.move_to(5).await;
    assert!(std::fs::read_to_string(test.file()).unwrap().contains(&secret), "receivers know its messages by it");

    let node = start("5").await;
    for (path, before) in paths.iter().zip(&before) {
        assert_eq!(get(node.address, path).await.1, *before, "{path}");
    }
    assert_eq!((before[0]["revocations"].as_array().unwrap().len(), before[2]["enrolments"][0].is_object()), (2, true));
    for stored in [&before[3]["selectors"][0], &before[4]["notices"][0]] {
        assert_eq!(stored["match"], "site = bj");
    }
    assert_eq!(put(node.address, "/v1/notices/ops", &notice).await["secret"], Value::Null, "it has its secret");
    let approve =
        format!("POST /v1/enrolments/{}/approve HTTP/1.1\r\nContent-Length: 0\r\n", waiting["id"].as_str().unwrap());
    assert_eq!(exchange(node.address, &approve, "").await.0, 200);
    assert_eq!(post(node.address, "/v1/enrol", &enrol).await.0, 200);
    node.stop().await;
}
