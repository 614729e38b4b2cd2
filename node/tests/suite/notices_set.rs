//! How notices are set, tried, listed and removed.

use data_encoding::HEXLOWER;
use futures_util::future::join;
use muster_protocol::token::Scope;
use muster_testkit::{TestNode, http::exchange, token::key_of, wait::until};
use ring::hmac;
use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    limited::limited,
    receiver::{Receiver, SECRET, attempts, set},
};

crate::on_both!(
    a_test_says_what_became_of_it,
    notices_are_listed_changed_and_removed_and_their_secret_is_shown_once,
    of_two_that_make_a_notice_at_once_one_is_shown_its_secret,
    a_notice_goes_by_what_was_saved_when_it_was_set,
    a_notice_that_can_t_be_is_refused | crate::receiver::TO_LOOPBACK
);

async fn a_test_says_what_became_of_it(cluster: Cluster) {
    let receiver = Receiver::start(&[200, 404]).await;
    set(&cluster, "tried", &receiver.url(), &["node.lost"], json!({})).await;
    let try_it = async || cluster.ask("POST", "/v1/notices/tried/test", "").await;
    let (status, first) = try_it().await;
    assert_eq!((status, &first["result"], &first["status"]), (200, &json!("delivered"), &json!(200)), "{first}");
    let (_, second) = try_it().await;
    assert_eq!(
        (&second["result"], &second["status"], &second["next_at"]),
        (&json!("failed"), &json!(404), &Value::Null)
    );
    assert_eq!(receiver.first("notice.test").await.body["id"], first["message"]);
    assert_eq!(attempts(&cluster, "tried").await, [second, first]);
    assert_eq!(cluster.get("/v1/notices/tried").await["waiting"], 0);
}

async fn notices_are_listed_changed_and_removed_and_their_secret_is_shown_once(cluster: Cluster) {
    let receiver = Receiver::start(&[]).await;
    let put = async |body: Value| cluster.ask("PUT", "/v1/notices/ops", &body.to_string()).await;
    let body = json!({ "url": receiver.url(), "on": ["node.lost", "command.done"] });
    let (_, made) = put(body.clone()).await;
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert!(secret.len() >= 32 && made["off_for"] == "10m", "{made}");
    let (_, again) = put(body).await;
    assert_eq!((&again["secret"], &again["created_at"]), (&Value::Null, &made["created_at"]));
    cluster.ask("POST", "/v1/notices/ops/test", "").await;
    let post = receiver.first("notice.test").await;
    let (time, signed) = post.header("muster-signature").split_once(",v1=").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let text = format!("{}.{}", &time[2..], post.text);
    assert_eq!(HEXLOWER.encode(hmac::sign(&key, text.as_bytes()).as_ref()), signed, "the secret is kept");
    set(&cluster, "second", &receiver.url(), &["command.done"], json!({})).await;
    let page = cluster.get("/v1/notices").await;
    let names: Vec<_> = page["notices"].as_array().unwrap().iter().map(|notice| notice["name"].clone()).collect();
    assert_eq!((names, &page["next"]), (vec![json!("ops"), json!("second")], &Value::Null));
    let first = cluster.get("/v1/notices?limit=1").await;
    assert_eq!((first["notices"].as_array().unwrap().len(), &first["next"]), (1, &json!("1")));
    let rest = cluster.get("/v1/notices?limit=1&after=1").await;
    assert_eq!((&rest["notices"][0]["name"], &rest["next"]), (&json!("second"), &Value::Null));
    let shown = async |path: &str| cluster.ask("GET", path, "").await.1.to_string();
    until("the audit has the calls", async || shown("/v1/audit").await.contains("/v1/notices/{name}/test")).await;
    let audit = shown("/v1/audit").await;
    for text in [page.to_string(), shown("/v1/notices/ops").await, shown("/v1/notices/ops/attempts").await, audit] {
        assert!(!text.contains(&secret) && !text.contains(SECRET), "{text}");
    }
    let audit = shown("/v1/audit").await;
    let body = format!(r#"\"url\":\"http://{}\""#, receiver.address);
    assert!(audit.contains(&body) && !audit.contains("/hook"), "of a URL the host alone: {audit}");
    assert_eq!(cluster.ask("DELETE", "/v1/notices/ops", "").await.0, 200);
    for (method, path) in [
        ("DELETE", "/v1/notices/ops"),
        ("GET", "/v1/notices/ops"),
        ("GET", "/v1/notices/ops/attempts"),
        ("POST", "/v1/notices/ops/test"),
    ] {
        assert_eq!(cluster.ask(method, path, "").await.0, 404, "{method} {path}");
    }
}

async fn of_two_that_make_a_notice_at_once_one_is_shown_its_secret(cluster: Cluster) {
    let body = json!({ "url": "https://1.1.1.1/", "on": ["node.lost"] }).to_string();
    for n in 0..20 {
        let head = format!("PUT /v1/notices/n{n} HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
        let put = async |node: &TestNode| exchange(node.address, &head, &body).await;
        let (one, other) = join(put(cluster.here()), put(cluster.there())).await;
        assert_eq!((one.0, other.0), (200, 200));
        let has_secret = |(_, _, answer): &(u16, String, String)| {
            serde_json::from_str::<Value>(answer).unwrap()["secret"].is_string()
        };
        assert_eq!([&one, &other].into_iter().filter(|answer| has_secret(answer)).count(), 1, "{one:?} {other:?}");
    }
}

async fn a_notice_goes_by_what_was_saved_when_it_was_set(cluster: Cluster) {
    let put = async |path: &str, body: &str| cluster.ask("PUT", path, body).await;
    assert_eq!(put("/v1/selectors/shops", r#"{"match":"kind = shop"}"#).await.0, 200);
    let body = |text: &str| json!({ "url": "https://1.1.1.1/", "on": ["terminal.away"], "match": text }).to_string();
    let (_, set) = put("/v1/notices/ops", &body("@saved(shops) and site = bj")).await;
    assert_eq!(set["match"], "kind = shop and site = bj", "{set}");
    let (status, problem) = put("/v1/notices/ops", &body("@saved(nothing)")).await;
    assert!(status == 400 && problem["detail"].as_str().unwrap().contains("saved as nothing"), "{problem}");
}

async fn a_notice_that_can_t_be_is_refused(cluster: Cluster) {
    let put = async |body: Value| cluster.ask("PUT", "/v1/notices/n", &body.to_string()).await;
    let good = json!({ "url": "http://127.0.0.1:1/", "on": ["terminal.away"] });
    for (fields, says) in [
        (json!({ "url": "https://10.0.0.1/" }), "--notice-to"),
        (json!({ "url": "http://169.254.169.254/latest" }), "--notice-to"),
        (json!({ "url": "https://[::1]/" }), "--notice-to"),
        (json!({ "url": "https://[::ffff:192.168.0.1]/" }), "--notice-to"),
        (json!({ "url": "http://1.1.1.1/" }), "give https://"),
        (json!({ "url": "https://u:p@h/" }), "without a user"),
        (json!({ "on": [] }), "on: one or more"),
        (json!({ "on": ["notice.test"] }), "on: one or more"),
        (json!({ "on": ["terminal.online"] }), "terminal.online"),
        (json!({ "off_for": "0s" }), "off_for: from 1s"),
        (json!({ "secret": "short" }), "secret: 16 to 128"),
        (json!({ "match": "@status = online" }), "match: "),
        (json!({ "match": "site = bj", "on": ["node.lost"] }), "match: "),
        (json!({ "of_for": "1s" }), "unknown field"),
    ] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let (status, problem) = put(body.clone()).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == 400 && detail.contains(says) && !detail.contains("u:p"), "{body}: {problem}");
    }
    assert_eq!(cluster.ask("PUT", "/v1/notices/a%20b", &good.to_string()).await.0, 400);
    for n in 0..32 {
        assert_eq!(cluster.ask("PUT", &format!("/v1/notices/n{n}"), &good.to_string()).await.0, 200);
    }
    let (status, problem) = put(good).await;
    assert!(status == 503 && problem["detail"].as_str().unwrap().contains("32 notices are set"), "{problem}");
    let reader = format!("Authorization: Bearer {}\r\n", key_of("ann", Scope::Command));
    assert_eq!(cluster.ask_with("GET", "/v1/notices", &reader, "").await.0, 403);
    let of_shop = limited("shop", &[("shop", "7")], &[]);
    assert_eq!(cluster.ask_with("GET", "/v1/notices", &of_shop, "").await.0, 403);
}
