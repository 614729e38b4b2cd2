//! Enrolment: a code that an operator made is traded for a terminal's first token, once.

use muster_testkit::{
    TestNode, http,
    http::{exchange, head_of_answer},
    wait::until,
};
use serde_json::{Value, json};

use crate::cluster::Cluster;

crate::on_both!(
    a_code_is_traded_once_for_a_token_that_lets_the_terminal_in,
    a_code_may_need_an_operator_s_approval,
    a_code_for_one_terminal_is_for_no_other,
    wrong_codes_are_refused_and_keep_no_right_one_of_the_same_address_out,
    enrolments_are_listed_and_removed,
    an_enrolment_that_can_t_be_is_refused | ["--secret", muster_testkit::token::SECRET]
);

mod without_secret {
    crate::on_both!(a_node_that_can_t_sign_says_so);
    use super::a_node_that_can_t_sign_says_so;
}

async fn enrol(node: &TestNode, code: &str, terminal: Option<&str>) -> (u16, Value) {
    let body = json!({ "code": code, "terminal": terminal }).to_string();
    let head = format!("POST /v1/enrol HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    let (status, _, body) = exchange(node.address, &head, &body).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

async fn make(cluster: &Cluster, body: Value) -> (String, String) {
    let (status, made) = cluster.ask("POST", "/v1/enrolments", &body.to_string()).await;
    assert_eq!(status, 201, "{made}");
    (made["code"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

async fn a_code_is_traded_once_for_a_token_that_lets_the_terminal_in(cluster: Cluster) {
    let (code, _) = make(&cluster, json!({ "labels": { "site": "bj" }, "renew": "1h", "valid_for": "2h" })).await;
    assert_eq!(enrol(cluster.there(), &code, None).await.0, 400);
    let (status, grant) = enrol(cluster.there(), &code.to_lowercase(), Some("box-1")).await;
    assert!(status == 200 && grant["terminal"] == "box-1", "{status} {grant}");
    for node in [cluster.here(), cluster.there()] {
        assert_eq!(enrol(node, &code, Some("box-1")).await.0, 403);
    }
    let header = format!("Authorization: Bearer {}\r\n", grant["token"].as_str().unwrap());
    let head = head_of_answer(cluster.here().address, &http::handshake("", &header)).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    until("it has the labels", async || {
        let (_, box_1) = http::get(cluster.here().address, "/v1/terminals/box-1").await;
        box_1["labels"]["site"] == "bj"
    })
    .await;
}

async fn a_code_may_need_an_operator_s_approval(cluster: Cluster) {
    let (code, id) = make(&cluster, json!({ "approve": true })).await;
    let approve = format!("/v1/enrolments/{id}/approve");
    assert_eq!(cluster.ask("POST", &approve, "").await.0, 409);
    let (status, waiting) = enrol(cluster.there(), &code, Some("box-1")).await;
    assert_eq!((status, &waiting["state"]), (202, &json!("waiting")));
    assert_eq!(enrol(cluster.there(), &code, Some("thief")).await.0, 403);
    let page = cluster.get("/v1/enrolments").await;
    let shown = &page["enrolments"][0];
    assert_eq!(
        (&shown["state"], &shown["terminal"], &shown["address"], shown.get("code")),
        (&json!("waiting"), &json!("box-1"), &json!("127.0.0.1"), None)
    );
    assert_eq!(enrol(cluster.there(), &code, Some("box-1")).await.0, 202);
    assert_eq!(cluster.ask("POST", &approve, "").await.0, 200);
    assert_eq!(enrol(cluster.there(), &code, Some("thief")).await.0, 403);
    assert_eq!(enrol(cluster.there(), &code, Some("box-1")).await.0, 200);
    assert_eq!(enrol(cluster.here(), &code, Some("box-1")).await.0, 403);
    assert_eq!(cluster.ask("POST", &approve, "").await.0, 404);
}

async fn a_code_for_one_terminal_is_for_no_other(cluster: Cluster) {
    let (code, _) = make(&cluster, json!({ "terminal": "box-1" })).await;
    assert_eq!(enrol(cluster.there(), &code, Some("box-2")).await.0, 403);
    let (status, grant) = enrol(cluster.there(), &code, None).await;
    assert_eq!((status, &grant["terminal"]), (200, &json!("box-1")));
}

async fn wrong_codes_are_refused_and_keep_no_right_one_of_the_same_address_out(cluster: Cluster) {
    let (code, _) = make(&cluster, json!({})).await;
    let mut refused = 0;
    until("the address has too many wrong codes", async || {
        let text = if refused % 2 == 0 { "AAAA-AAAA-AAAA-AAAA" } else { "x" };
        let (status, problem) = enrol(cluster.here(), text, Some("box-1")).await;
        assert!(matches!(status, 403 | 429), "{status} {problem}");
        refused += 1;
        status == 429 && problem["detail"].as_str().unwrap().contains("wrong codes")
    })
    .await;
    assert!(refused > 10, "ten of them are told that they are wrong: {refused}");
    let (status, grant) = enrol(cluster.here(), &code, Some("box-1")).await;
    assert_eq!((status, &grant["terminal"]), (200, &json!("box-1")), "a neighbour with a good code is let in");
}

async fn enrolments_are_listed_and_removed(cluster: Cluster) {
    let (_, last) = make(&cluster, json!({ "expires_in": "2h" })).await;
    let (code, first) = make(&cluster, json!({ "expires_in": "1h" })).await;
    let ids = |page: &Value| -> Vec<String> {
        let all = page["enrolments"].as_array().unwrap();
        all.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let page = cluster.get("/v1/enrolments?limit=1").await;
    assert_eq!(ids(&page), std::slice::from_ref(&first));
    let page = cluster.get(&format!("/v1/enrolments?after={}", page["next"].as_str().unwrap())).await;
    assert_eq!((ids(&page), &page["next"]), (vec![last], &Value::Null));
    let path = format!("/v1/enrolments/{first}");
    assert_eq!(cluster.ask("DELETE", &path, "").await.0, 200);
    assert_eq!(cluster.ask("DELETE", &path, "").await.0, 404);
    assert_eq!(enrol(cluster.there(), &code, Some("box-1")).await.0, 403);
}

async fn an_enrolment_that_can_t_be_is_refused(cluster: Cluster) {
    for (body, says) in [
        (json!({ "expires_in": "31d" }), "expires_in: from 1s to 30 days"),
        (json!({ "valid_for": "0s" }), "valid_for"),
        (json!({ "renew": "500d" }), "renew"),
        (json!({ "labels": { "a": "b,c" } }), "has a comma"),
        (json!({ "terminal": "a b" }), "a terminal id must be"),
        (json!({ "uses": 2 }), "unknown field"),
    ] {
        let (status, problem) = cluster.ask("POST", "/v1/enrolments", &body.to_string()).await;
        assert!(status == 400 && problem["detail"].as_str().unwrap().contains(says), "{body}: {problem}");
    }
}

async fn a_node_that_can_t_sign_says_so(cluster: Cluster) {
    let (status, problem) = cluster.ask("POST", "/v1/enrolments", "{}").await;
    assert!(status == 501 && problem["detail"].as_str().unwrap().contains("--secret"), "{status} {problem}");
    assert_eq!(enrol(cluster.here(), "AAAA-AAAA-AAAA-AAAA", Some("t1")).await.0, 501);
}
