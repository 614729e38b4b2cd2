//! `muster notices`: set, listed, tried and removed.

use muster_testkit::TestNode;

use crate::call::run;

#[tokio::test]
async fn a_notice_is_set_tried_and_removed() {
    let node = TestNode::start(&["--insecure", "--notice-to", "127.0.0.0/8"]).await;
    for (line, code, says) in [
        ("notices set ops http://127.0.0.1:1/key --on node.lost", 0, "shown this once"),
        ("notices set ops http://127.0.0.1:1/key --on terminal.away --off-for 1h", 0, "its secret stays"),
        ("notices set ops http://127.0.0.1:1/ --on node.lost --match a=b", 1, "match: none of the kinds"),
        ("notices set ops https://10.0.0.1/ --on node.lost", 1, "--notice-to"),
        ("notices set ops https://h/ --on node.gone", 1, "there are terminal.away"),
        ("notices set ops https://h/", 1, "--on <KIND>"),
        ("notices ls", 0, "terminal.away>1h"),
        ("notices ls --json", 0, r#""url":"http://127.0.0.1:1/key""#),
        ("notices test ops", 2, "ops: failed: 127.0.0.1:1"),
        ("notices attempts ops", 0, "notice.test"),
    ] {
        let (ended, said) = run(&node, line).await;
        assert!(ended == code && said.contains(says), "{line}: {ended}: {said}");
    }
    let (_, listed) = run(&node, "notices ls").await;
    assert!(listed.contains("http://127.0.0.1:1 ") && !listed.contains("key"), "the path may be a secret: {listed}");
    for (line, code, says) in [("notices rm ops", 0, "removed"), ("notices attempts ops", 1, "no notice ops")] {
        let (ended, said) = run(&node, line).await;
        assert!(ended == code && said.contains(says), "{line}: {ended}: {said}");
    }
    node.stop().await;
}
