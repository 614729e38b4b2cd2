//! Commands in lists and their targets in pages, over several partitions and in memory.

use std::collections::BTreeSet;

use muster_protocol::{api::Protocol::V1, token::Scope};
use muster_testkit::{
    TestNode, TestRedis,
    http::exchange,
    token::{SECRET, key_of},
    wait::until,
};
use serde_json::{Value, json};

use crate::store::{PARTITIONS, ids};

/// Nodes of one store, and the store that they need.
struct Nodes {
    here: TestNode,
    there: Option<TestNode>,
    _redis: Option<TestRedis>,
}

impl Nodes {
    async fn both() -> [Self; 2] {
        let redis = TestRedis::start().await;
        let flags = ["--insecure", "--secret", SECRET];
        let clustered = [&flags[..], &["--redis", &redis.url, "--partitions", PARTITIONS]].concat();
        let (here, there) = (TestNode::start(&clustered).await, Some(TestNode::start(&clustered).await));
        let alone = Self { here: TestNode::start(&flags).await, there: None, _redis: None };
        [Self { here, there, _redis: Some(redis) }, alone]
    }

    fn there(&self) -> &TestNode {
        self.there.as_ref().unwrap_or(&self.here)
    }

    async fn post(&self, operator: &str, target: &Value, fields: &str) -> String {
        let bearer = key_of(operator, Scope::Command);
        let body = format!(r#"{{"target":{target},"payload":{{"page":1}}{fields}}}"#);
        let length = body.len();
        let head =
            format!("POST /v1/commands HTTP/1.1\r\nAuthorization: Bearer {bearer}\r\nContent-Length: {length}\r\n");
        let (status, _, answer) = exchange(self.here.address, &head, &body).await;
        assert_eq!(status, 202, "{answer}");
        serde_json::from_str::<Value>(&answer).unwrap()["id"].as_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        muster_testkit::http::get(self.there().address, path).await
    }

    /// All rows of a list, in pages of this size.
    async fn pages(&self, path: &str, rows: &str, limit: usize) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let (status, page) = self.get(&format!("{path}limit={limit}{after}")).await;
            assert_eq!(status, 200, "{page}");
            let found = page[rows].as_array().unwrap();
            assert!(found.len() <= limit);
            all.extend(found.iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return all,
            }
        }
    }

    async fn listed(&self, query: &str) -> Vec<String> {
        let rows = self.pages(&format!("/v1/commands?{query}"), "commands", 2).await;
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn commands_are_listed_newest_first_from_all_partitions() {
    for nodes in Nodes::both().await {
        for id in ids(4) {
            nodes.here.was_here(&id, V1).await;
        }
        let labelled = nodes.here.terminal("labelled", V1, &[("site", "bj")]).await;
        let mut accepted = Vec::new();
        for (operator, target, fields) in [
            ("ann", json!({"terminal": "t00"}), r#","name":"show""#),
            ("bob", json!({"terminal": "t01"}), r#","name":"show""#),
            ("ann", json!({"terminals": ["t00", "t01", "t02"]}), r#","name":"play""#),
            ("bob", json!({"labels": {"site": "bj"}}), r#","name":"show","confirm":"none""#),
            ("ann", json!({"all": true}), r#","name":"say \"hi\"""#),
        ] {
            accepted.push(nodes.post(operator, &target, fields).await);
            // Ids and times of one millisecond have no order between homes.
            tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        }
        let newest = |indexes: &[usize]| indexes.iter().map(|index| accepted[*index].clone()).collect::<Vec<_>>();
        assert_eq!(nodes.listed("").await, newest(&[4, 3, 2, 1, 0]));
        assert_eq!(nodes.listed("by=bob&").await, newest(&[3, 1]));
        assert_eq!(nodes.listed("name=show&").await, newest(&[3, 1, 0]));
        assert_eq!(nodes.listed("name=say%20%22hi%22&").await, newest(&[4]));
        assert_eq!(nodes.listed("terminal=t01&").await, newest(&[4, 2, 1]));
        assert_eq!(nodes.listed("terminal=labelled&").await, newest(&[4, 3]), "only its partition knows its labels");
        assert_eq!(nodes.listed("terminal=nobody&").await, newest(&[]));
        until("it is done", async || nodes.listed("state=done&").await == newest(&[3])).await;
        let (status, _, _) =
            exchange(nodes.here.address, &format!("DELETE /v1/commands/{} HTTP/1.1\r\n", accepted[1]), "").await;
        assert_eq!(status, 200);
        assert_eq!(nodes.listed("state=cancelled&").await, newest(&[1]));
        assert_eq!(nodes.listed("state=open&by=ann&").await, newest(&[4, 2, 0]));
        let (_, page) = nodes.get("/v1/commands?limit=1").await;
        let first = &page["commands"][0];
        assert_eq!(
            (&first["by"], &first["target"], first.get("payload")),
            (&json!("ann"), &json!({"all": true}), None)
        );
        for wrong in ["state=lost", "after=x", "limit=0", "who=ann"] {
            assert_eq!(nodes.get(&format!("/v1/commands?{wrong}")).await.0, 400, "{wrong}");
        }
        drop(labelled);
    }
}

#[tokio::test]
async fn a_command_that_names_hundreds_of_one_partition_reaches_all_or_none() {
    let redis = TestRedis::start().await;
    let flags = ["--insecure", "--redis", &redis.url, "--partitions", "1"];
    let (here, there) = (TestNode::start(&flags).await, TestNode::start(&flags).await);
    let names: Vec<_> = (0..520).map(|number| format!("t{number}")).collect();
    let mut terminals = Vec::new();
    for part in names.chunks(40) {
        let joined = part.iter().map(|id| there.terminal(id, V1, &[]));
        terminals.extend(futures_util::future::join_all(joined).await);
    }
    let mut with_unknown = names.clone();
    with_unknown.extend(["nobody-1".into(), "nobody-2".into()]);
    let (status, problem) = here.command(&json!({ "terminals": with_unknown }).to_string(), "1").await;
    assert!(status == 404 && problem["detail"].as_str().unwrap().contains("nobody-1, nobody-2"), "{problem}");
    let (status, accepted) = here.command(&json!({ "terminals": names }).to_string(), "2").await;
    assert_eq!((status, &accepted["targets"]), (202, &json!(520)), "{accepted}");
    for terminal in &mut terminals {
        assert_eq!(terminal.payload().await, "2");
    }
    here.counts(accepted["id"].as_str().unwrap(), 0, 0, 520).await;
    let too_many: Vec<_> = (0..10_001).map(|number| format!("t{number}")).collect();
    assert_eq!(here.command(&json!({ "terminals": too_many }).to_string(), "3").await.0, 400);
}

#[tokio::test]
async fn targets_of_all_partitions_come_in_pages_each_once() {
    for nodes in Nodes::both().await {
        let mut online = Vec::new();
        for id in ids(12) {
            online.push(nodes.here.terminal(&id, V1, &[]).await);
        }
        for number in 12..20 {
            nodes.here.was_here(&format!("t{number}"), V1).await;
        }
        let all: Vec<_> = ids(20);
        for target in [json!({"all": true}), json!({ "terminals": all })] {
            let id = nodes.post("ann", &target, r#","name":"show""#).await;
            nodes.here.counts(&id, 8, 0, 12).await;
            let shown = async |state: &str, limit| {
                let rows = nodes.pages(&format!("/v1/commands/{id}/targets?{state}"), "targets", limit).await;
                let names: BTreeSet<_> = rows.iter().map(|row| row["terminal"].as_str().unwrap().to_owned()).collect();
                assert_eq!(names.len(), rows.len(), "each once");
                names.into_iter().collect::<Vec<_>>()
            };
            for limit in [1, 3, 100] {
                assert_eq!(shown("", limit).await, ids(20));
                assert_eq!(shown("state=acked&", limit).await, ids(12));
                assert_eq!(shown("state=queued&", limit).await, ids(20)[12..]);
                assert_eq!(shown("state=sent&", limit).await, ids(0));
                assert_eq!(shown("state=expired&", limit).await, ids(0));
            }
        }
    }
}
