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

#[tokio::test]
async fn revocations_codes_keys_and_selectors_are_the_same_in_another_store() {
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
    let selector = r#"{"match":"site = bj"}"#;
    let put = format!("PUT /v1/selectors/bj HTTP/1.1\r\nContent-Length: {}\r\n", selector.len());
    assert_eq!(exchange(at, &put, selector).await.0, 200);
    let paths = ["/v1/revocations", "/v1/keys", "/v1/enrolments", "/v1/selectors"];
    let mut before = Vec::new();
    for path in paths {
        before.push(get(at, path).await.1);
    }
    node.stop().await;
    test.move_to(5).await;

    let node = start("5").await;
    for (path, before) in paths.iter().zip(&before) {
        assert_eq!(get(node.address, path).await.1, *before, "{path}");
    }
    assert_eq!((before[0]["revocations"].as_array().unwrap().len(), before[2]["enrolments"][0].is_object()), (2, true));
    assert_eq!(before[3]["selectors"][0]["match"], "site = bj");
    let approve =
        format!("POST /v1/enrolments/{}/approve HTTP/1.1\r\nContent-Length: 0\r\n", waiting["id"].as_str().unwrap());
    assert_eq!(exchange(node.address, &approve, "").await.0, 200);
    assert_eq!(post(node.address, "/v1/enrol", &enrol).await.0, 200);
    node.stop().await;
}
