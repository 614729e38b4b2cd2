//! The audit: one record for each call that changes something.

use muster_protocol::{api::Protocol::V1, token::Scope};
use muster_testkit::{
    http::{exchange, get, request},
    token::key_of,
    wait::until,
};
use serde_json::{Value, json};

use crate::cluster::Cluster;

crate::on_both!(
    each_change_leaves_one_record,
    what_was_refused_leaves_a_record_and_strangers_push_out_none,
    a_repeated_call_is_recorded_as_one,
    records_are_found_by_author_terminal_and_command_page_by_page,
    a_request_id_goes_in_and_out | ["--secret", muster_testkit::token::SECRET]
);

fn header(name: &str, scope: Scope) -> String {
    format!("Authorization: Bearer {}\r\n", key_of(name, scope))
}

/// The records that this query finds, once there are so many.
async fn records(cluster: &Cluster, query: &str, count: usize) -> Vec<Value> {
    let path = format!("/v1/audit?{query}");
    let read = async || cluster.get(&path).await["records"].as_array().unwrap().clone();
    until(&format!("{count} records of {query}"), async || read().await.len() >= count).await;
    let records = read().await;
    assert_eq!(records.len(), count, "{records:?}");
    records
}

async fn each_change_leaves_one_record(cluster: Cluster) {
    let _far = cluster.there().terminal("far", V1, &[]).await;
    let ann = header("ann", Scope::Admin);
    let command = json!({ "target": { "all": true }, "name": "show", "payload": "s3cret" }).to_string();
    let (_, sent) = cluster.ask_with("POST", "/v1/commands", &ann, &command).await;
    let id = sent["id"].as_str().unwrap();
    let command_path = format!("/v1/commands/{id}");
    for (method, path, body) in [
        ("DELETE", command_path.as_str(), ""),
        ("PUT", "/v1/terminals/far/labels", r#"{"a":"b"}"#),
        ("DELETE", "/v1/terminals/none/session", ""),
        ("POST", "/v1/revocations", r#"{"token_id":"x"}"#),
        ("POST", "/v1/keys", r#"{"name":"bob","scope":"read"}"#),
        ("POST", "/v1/nodes/none/drain", ""),
        ("PUT", "/v1/selectors/bj", r#"{"match":"site = bj"}"#),
        ("DELETE", "/v1/selectors/bj", ""),
        ("POST", "/v1/commands?dry_run=1", command.as_str()),
        ("POST", "/v1/ticket", ""),
        ("GET", "/v1/terminals", ""),
    ] {
        cluster.ask_with(method, path, &ann, body).await;
    }
    let mut records = records(&cluster, "by=ann", 9).await;
    records.reverse();
    let shown: Vec<_> = records
        .iter()
        .map(|record| {
            let text = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
            (
                format!("{} {}", text("method"), text("route")),
                record["status"].as_u64().unwrap(),
                record["targets"].as_u64(),
            )
        })
        .collect();
    let expected = [
        ("POST /v1/commands", 202, Some(1)),
        ("DELETE /v1/commands/{id}", 200, Some(1)),
        ("PUT /v1/terminals/{id}/labels", 200, Some(1)),
        ("DELETE /v1/terminals/{id}/session", 404, Some(1)),
        ("POST /v1/revocations", 201, None),
        ("POST /v1/keys", 201, None),
        ("POST /v1/nodes/{id}/drain", 404, None),
        ("PUT /v1/selectors/{name}", 200, None),
        ("DELETE /v1/selectors/{name}", 200, None),
    ];
    assert_eq!(shown, expected.map(|(call, status, targets)| (call.to_owned(), status, targets)));
    assert_eq!((&records[0]["command"], &records[0]["address"]), (&json!(id), &json!("127.0.0.1")));
    assert_eq!((&records[2]["terminals"], &records[3]["error"]), (&json!(["far"]), &json!("Not Found")));
    assert_eq!(records[0]["body_sha256"].as_str().unwrap().len(), 64);
    assert!(records.iter().all(|record| record.get("body").is_none()), "{records:?}");
    assert!(records[4]["subject"].is_string() && records[5]["subject"].is_string());
    assert_eq!((&records[7]["subject"], &records[8]["subject"]), (&json!("bj"), &json!("bj")));
}

async fn what_was_refused_leaves_a_record_and_strangers_push_out_none(cluster: Cluster) {
    let bob = header("bob", Scope::Read);
    assert_eq!(cluster.ask_with("DELETE", "/v1/terminals/far", &bob, "").await.0, 403);
    let refused = records(&cluster, "by=bob", 1).await;
    assert_eq!((&refused[0]["status"], &refused[0]["terminals"]), (&json!(403), &json!(["far"])));
    for _ in 0..80 {
        let stranger = "Authorization: Bearer x.y.z\r\n";
        assert_eq!(cluster.ask_with("DELETE", "/v1/terminals/far", stranger, "").await.0, 401);
    }
    let all = records(&cluster, "terminal=far", 61).await;
    let is_stranger = |record: &&Value| record["status"] == 401 && record["by"].is_null();
    assert_eq!(all.iter().filter(is_stranger).count(), 60);
    let metrics = request(cluster.here().address, "GET /metrics HTTP/1.1\r\n").await.2;
    assert!(metrics.contains("muster_audit_lost_total{reason=\"stranger\"} 20"), "{metrics}");
}

async fn a_repeated_call_is_recorded_as_one(cluster: Cluster) {
    let _far = cluster.there().terminal("far", V1, &[]).await;
    let header = format!("Idempotency-Key: one\r\n{}", header("ann", Scope::Command));
    let body = json!({ "target": { "terminal": "far" }, "name": "show" }).to_string();
    for _ in 0..2 {
        assert_eq!(cluster.ask_with("POST", "/v1/commands", &header, &body).await.0, 202);
    }
    let records = records(&cluster, "by=ann&terminal=far", 2).await;
    assert_eq!((&records[0]["repeated"], records[1].get("repeated")), (&json!(true), None));
    assert_eq!(records[0]["command"], records[1]["command"]);
}

async fn records_are_found_by_author_terminal_and_command_page_by_page(cluster: Cluster) {
    let ann = header("ann", Scope::Admin);
    for number in 0..5 {
        cluster.ask_with("DELETE", &format!("/v1/terminals/t{number}"), &ann, "").await;
    }
    records(&cluster, "by=ann", 5).await;
    let (mut path, mut terminals) = ("/v1/audit?by=ann&limit=2".to_owned(), Vec::new());
    loop {
        let page = cluster.get(&path).await;
        let records = page["records"].as_array().unwrap();
        assert!(records.len() <= 2);
        terminals.extend(records.iter().map(|record| record["terminals"][0].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/audit?by=ann&limit=2&before={next}");
    }
    assert_eq!(terminals, ["t4", "t3", "t2", "t1", "t0"]);
    assert_eq!(records(&cluster, "terminal=t3", 1).await[0]["by"], "ann");
    let command = "0198c0de-0000-7000-8000-000000000001";
    cluster.ask_with("POST", &format!("/v1/commands/{command}/retry"), &ann, "").await;
    let found = records(&cluster, &format!("command={command}"), 1).await;
    assert_eq!(found[0]["route"], "/v1/commands/{id}/retry");
    assert_eq!(get(cluster.here().address, "/v1/audit?after=1").await.0, 400);
    let reader = header("bob", Scope::Command);
    assert_eq!(cluster.ask_with("GET", "/v1/audit", &reader, "").await.0, 403);
}

async fn a_request_id_goes_in_and_out(cluster: Cluster) {
    let call = async |id: &str| {
        let head = format!("DELETE /v1/terminals/far HTTP/1.1\r\nX-Request-Id: {id}\r\n");
        let (_, head, _) = exchange(cluster.there().address, &head, "").await;
        let given = head.lines().find_map(|line| line.strip_prefix("x-request-id: ").map(str::to_owned));
        given.unwrap_or_else(|| panic!("{head}"))
    };
    assert_eq!(call("given-1").await, "given-1");
    let made = call("not an id").await;
    assert_ne!(made, "not an id");
    let ids: Vec<_> = records(&cluster, "terminal=far", 2).await.iter().map(|one| one["request_id"].clone()).collect();
    assert_eq!(ids, [json!(made), json!("given-1")]);
    let (_, head, _) = request(cluster.here().address, "GET /v1/nodes HTTP/1.1\r\n").await;
    assert!(head.contains("x-request-id: "), "{head}");
}

/// Without the store a change is refused as before, and its record is written once when the store is back.
#[tokio::test]
async fn a_record_waits_while_the_store_is_away() {
    let cluster = Cluster::redis(&[]).await;
    let redis = cluster.redis.as_ref().unwrap();
    redis.hang();
    let (status, _) = cluster.ask("DELETE", "/v1/terminals/far", "").await;
    assert!([503, 504].contains(&status), "{status}");
    redis.go_on();
    until("the store answers", async || get(cluster.here().address, "/v1/audit").await.0 == 200).await;
    assert_eq!(records(&cluster, "terminal=far", 1).await[0]["status"], status);
    assert_eq!(cluster.ask("DELETE", "/v1/terminals/far", "").await.0, 404);
    records(&cluster, "terminal=far", 2).await;
}

mod with_bodies {
    crate::on_both!(a_body_is_recorded_if_it_is_asked_for | ["--audit-payloads"]);
    use super::a_body_is_recorded_if_it_is_asked_for;
}

async fn a_body_is_recorded_if_it_is_asked_for(cluster: Cluster) {
    let _far = cluster.there().terminal("far", V1, &[]).await;
    let body = json!({ "target": { "terminal": "far" }, "name": "show", "payload": "seen" }).to_string();
    cluster.ask("POST", "/v1/commands", &body).await;
    let long = json!({ "target": { "terminal": "far" }, "name": "show", "payload": "x".repeat(5000) }).to_string();
    cluster.ask("POST", "/v1/commands", &long).await;
    let records = records(&cluster, "terminal=far", 2).await;
    assert_eq!((&records[1]["body"], records[0].get("body")), (&json!(body), None));
    assert!(records[0]["body_sha256"].is_string());
}
