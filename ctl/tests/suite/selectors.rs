//! What operators do with saved selectors.

use muster_protocol::api::Protocol;
use muster_testkit::TestNode;

use crate::call::run;

#[tokio::test]
async fn a_selector_is_saved_used_listed_and_removed() {
    let node = TestNode::start(&["--insecure"]).await;
    let _terminal = node.terminal("t1", Protocol::V1, &[("site", "bj")]).await;
    for (line, code, says) in [
        ("selector set bj site=bj", 0, "bj: saved; use it as @saved(bj)"),
        ("selector set b/j site=bj", 1, "the name of a selector"),
        ("selector set sh site", 1, "match: at character 5: expected"),
        ("selector set again @saved(bj)", 1, "a saved selector can't name another one"),
        ("selector ls", 0, "site=bj"),
        ("selector ls --json", 0, r#""match":"site=bj""#),
        ("ls --match @saved(bj)", 0, "t1"),
        ("send show --match @saved(bj) --wait", 0, "1 terminal: 1 acked"),
        ("selector rm bj", 0, "bj: removed"),
        ("selector rm bj", 1, "no selector is saved as bj"),
        ("ls --match @saved(bj)", 1, "match: at character 1: no selector is saved as bj"),
    ] {
        let (ended, said) = run(&node, line).await;
        assert!(ended == code && said.contains(says), "{line}: {ended}: {said}");
    }
    node.stop().await;
}
