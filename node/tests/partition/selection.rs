//! Expressions over sets of terminals.

use muster_node::backplane::{BackplaneError, redis::partition::selection::SetExpression};
use muster_protocol::{api::Status, frame::Condition, selector::Labels};

use crate::{
    fixtures::{labels, node, session, with},
    registry::all_of,
    store::TestPartition,
};

fn label(key: &str, value: &str) -> SetExpression {
    SetExpression::Label(key.into(), value.into())
}

fn not(set: SetExpression) -> SetExpression {
    SetExpression::Not(Box::new(set))
}

/// Six terminals: `a` to `c` on `n1`, `d` and `e` on `n2`, which has no lease, and `f` on the live `n3`.
async fn fleet() -> TestPartition {
    let store = TestPartition::start().await;
    for (id, on, own) in [
        ("a", "n1", labels(&[("site", "bj"), ("kind", "kiosk")])),
        ("b", "n1", labels(&[("site", "bj")])),
        ("c", "n1", labels(&[("site", "sh")])),
        ("d", "n2", labels(&[("site", "bj")])),
        ("e", "n2", Labels::new()),
        ("f", "n3", labels(&[("kind", "gate")])),
    ] {
        store.joined(&with(session(id), |info| info.labels = own), on).await;
    }
    for (node, lives) in [("n1", true), ("n2", false), ("n3", true)] {
        store.lease(node, lives).await;
    }
    let _: bool = store.ask("SETBIT", "stale:n1", &["2", "1"]).await;
    let _: bool = store.ask("SETBIT", "degraded", &["0", "1"]).await;
    store
}

#[tokio::test]
async fn an_expression_selects_what_it_says() {
    let store = fleet().await;
    let ids = |all: &[&str]| SetExpression::Ids(all.iter().map(|id| id.parse().unwrap()).collect());
    for (set, expected) in [
        (SetExpression::All, "abcdef"),
        (SetExpression::Connected, "abcf"),
        (SetExpression::Status(Status::Online), "abf"),
        (SetExpression::Status(Status::Stale), "c"),
        (SetExpression::Status(Status::Offline), "de"),
        (SetExpression::Condition(Condition::Ok), "bcdef"),
        (SetExpression::Condition(Condition::Degraded), "a"),
        (SetExpression::Condition(Condition::Failing), ""),
        (SetExpression::Node(node("n1")), "abc"),
        (SetExpression::Node(node("n2")), ""),
        (label("site", "bj"), "abd"),
        (label("site", "nowhere"), ""),
        (SetExpression::HasKey("kind".into()), "af"),
        (not(SetExpression::HasKey("nothing".into())), "abcdef"),
        (ids(&["a", "f", "nobody"]), "af"),
        (label("site", "bj").and(label("kind", "kiosk")), "a"),
        (label("site", "sh").or(label("kind", "gate")), "cf"),
        (not(label("site", "bj")), "cef"),
        (not(not(label("site", "bj")).and(SetExpression::Connected)), "abde"),
        (label("site", "bj").or(ids(&["e"])).and(SetExpression::Connected), "ab"),
    ] {
        assert_eq!(all_of(&store, Some(set.clone())).await.join(""), expected, "{set:?}");
        let connected = expected.chars().filter(|id| "abcf".contains(*id)).count() as u64;
        assert_eq!(store.partition.count(&set).await.unwrap(), (expected.len() as u64, connected), "{set:?}");
    }
    let left: Vec<String> = store.call(redis::cmd("KEYS").arg("*tmp:*")).await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_label_with_too_many_values_is_refused_by_name() {
    let store = fleet().await;
    let _: u32 = store.ask("SADD", "over", &["site"]).await;
    let refused = store.partition.count(&label("kind", "gate").and(label("site", "bj"))).await;
    assert_eq!(refused, Err(BackplaneError::LeftOut("site".into())));
    assert!(refused.unwrap_err().to_string().contains(r#"label "site" has more than 1000 values"#));
    assert_eq!(store.partition.count(&SetExpression::HasKey("site".into())).await, Ok((4, 3)));
    let _: u32 = store.ask("SADD", "over", &[""]).await;
    let unlisted = store.partition.count(&label("unlisted", "1")).await;
    assert_eq!(unlisted, Err(BackplaneError::LeftOut(String::new())));
    assert_eq!(store.partition.count(&label("kind", "gate")).await, Ok((1, 1)));
    let left: Vec<String> = store.call(redis::cmd("KEYS").arg("*tmp:*")).await;
    assert!(left.is_empty(), "{left:?}");
}
