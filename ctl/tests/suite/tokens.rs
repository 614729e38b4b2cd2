//! What operators do about the tokens of terminals.

use muster_protocol::{api::Protocol, token::Scope};
use muster_testkit::{
    TestNode,
    http::exchange,
    token::{SECRET, key},
};
use serde_json::json;
use tempfile::TempDir;

use crate::call::{muster, output, run};

/// A node that signs tokens, and an operator's key for it in a file.
struct SigningNode {
    node: TestNode,
    folder: TempDir,
}

impl SigningNode {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), key(Scope::Admin)).unwrap();
        Self { node: TestNode::start(&["--secret", SECRET]).await, folder }
    }

    /// What `muster` prints, which must end with this code.
    async fn run(&self, line: &str, code: i32) -> String {
        let mut command = muster(&self.node, line);
        command.env("MUSTER_KEY_FILE", self.folder.path().join("key"));
        let (ended, said) = output(command).await;
        assert_eq!(ended, code, "{line}: {said}");
        said
    }

    /// Trades a code for a token, as a terminal does. Returns the status.
    async fn enrol(&self, code: &str, terminal: &str) -> u16 {
        let body = json!({ "code": code, "terminal": terminal }).to_string();
        let head = format!("POST /v1/enrol HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
        exchange(self.node.address, &head, &body).await.0
    }
}

/// The first word of the second line, which is the id of the first row of a table.
fn first_id(table: &str) -> String {
    table.lines().nth(1).unwrap_or_else(|| panic!("{table}")).split(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn tokens_are_revoked_and_accepted_again() {
    let node = TestNode::start(&["--insecure"]).await;
    let _terminal = node.terminal("t1", Protocol::V1, &[]).await;
    for (line, code, says) in [
        ("tokens revoke", 1, "--terminal <ID>"),
        ("tokens revoke --terminal t1 --operator ann", 1, "cannot be used with"),
        ("tokens revoke --terminal t1 --expires-in 90d", 0, "terminal=t1 issued until 20"),
        ("tokens revoke --token-id x --kid k1", 0, "token=x kid=k1 revoked until 20"),
        ("tokens revoked", 0, "token=x kid=k1"),
        ("tokens take-back 0198c0de-0000-7000-8000-000000000001", 1, "404"),
    ] {
        let (ended, said) = run(&node, line).await;
        assert!(ended == code && said.contains(says), "{line}: {ended}: {said}");
    }
    let (_, listed) = run(&node, "tokens revoked").await;
    let (code, said) = run(&node, &format!("tokens take-back {}", first_id(&listed))).await;
    assert!(code == 0 && said.contains("taken back"), "{code}: {said}");
    let (_, listed) = run(&node, "tokens revoked").await;
    assert!(!listed.contains("token=x") && listed.contains("terminal=t1"), "{listed}");
    node.stop().await;
}

#[tokio::test]
async fn a_code_is_made_used_approved_and_removed() {
    let signing = SigningNode::start().await;
    let said = signing.run("enrol make -l site=bj --approve --renew 30d", 0).await;
    let code = said.lines().next().unwrap();
    assert!(code.len() == 19 && said.contains("open, for any terminal, to be approved"), "{said}");
    let listed = signing.run("enrol ls", 0).await;
    assert!(listed.contains("site=bj") && !listed.contains(code), "{listed}");
    let id = first_id(&listed);
    assert!(signing.run(&format!("enrol approve {id}"), 1).await.contains("409"));
    assert_eq!(signing.enrol(code, "box-1").await, 202);
    assert!(signing.run("enrol ls", 0).await.contains("waiting  box-1"));
    assert!(signing.run(&format!("enrol approve {id}"), 0).await.contains("approved"));
    assert_eq!(signing.enrol(code, "box-1").await, 200);
    let said = signing.run("enrol new --terminal box-2 --json", 0).await;
    assert!(said.starts_with("{\"code\":\"") && said.contains("\"terminal\":\"box-2\""), "{said}");
    let id = first_id(&signing.run("enrol ls", 0).await);
    assert!(signing.run(&format!("enrol rm {id}"), 0).await.contains("removed"));
    assert!(signing.run(&format!("enrol rm {id}"), 1).await.contains("404"));
    assert!(signing.run("enrol rm a/b", 1).await.contains("letters, digits and hyphens"));
    signing.node.stop().await;
}
