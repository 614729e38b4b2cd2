//! Expressions over sets of terminals.

use muster_node::backplane::{BackplaneError, redis::partition::selection::SetExpression};
use muster_protocol::{
    api::{Protocol, Status},
    frame::Condition,
    selector::{LabelVersion, Labels, VersionOrder},
};

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
        (SetExpression::LabelPrefix("site".into(), "b".into()), "abd"),
        (SetExpression::LabelPrefix("site".into(), "bjx".into()), ""),
        (SetExpression::LabelPrefix("nothing".into(), "b".into()), ""),
        (not(SetExpression::LabelPrefix("site".into(), "s".into())), "abdef"),
        (SetExpression::IdPrefix("c".into()), "c"),
        (SetExpression::IdPrefix("cc".into()), ""),
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

#[tokio::test]
async fn a_version_in_the_store_compares_as_everywhere() {
    let store = TestPartition::start().await;
    let values = [
        "0",
        "0.0",
        "00.1",
        "1",
        "1.0",
        "1.2",
        "1.10",
        "1.2-rc",
        "1.2-rc.1",
        "1.2-rc.10",
        "1.2-rc.2",
        "1.2-1",
        "1.2-01",
        "1.2-a-b",
        "1.2.0-rc",
        "2-",
        "2.",
        ".2",
        "2..1",
        "v2",
        "2-a..b",
        "2-a_b",
        "2 ",
        "latest",
        "2+5",
        "999999999999999999999",
    ];
    for (index, value) in values.iter().enumerate() {
        let id = format!("t{index:02}");
        store.joined(&with(session(&id), |info| info.labels = labels(&[("v", value)])), "n1").await;
    }
    store.lease("n1", true).await;
    for order in [VersionOrder::Below, VersionOrder::AtMost, VersionOrder::Above, VersionOrder::AtLeast] {
        for than in values.iter().filter_map(|value| LabelVersion::parse(value)) {
            let holds = |(_, value): &(usize, &&str)| order.holds(value, &than);
            let expected: Vec<_> =
                values.iter().enumerate().filter(holds).map(|(index, _)| format!("t{index:02}")).collect();
            let found = all_of(&store, Some(SetExpression::Version("v".into(), order, than.clone()))).await;
            assert_eq!(found, expected, "{order:?} {}", than.as_str());
        }
    }
}

#[tokio::test]
async fn a_set_of_many_is_part_of_a_range() {
    let store = TestPartition::start().await;
    for index in 0..300 {
        let site = if index < 280 { "bj-1" } else { "bj-2" };
        store
            .joined(&with(session(&format!("t{index:03}")), |info| info.labels = labels(&[("site", site)])), "n1")
            .await;
    }
    store.lease("n1", true).await;
    let counted = async |set: SetExpression| store.partition.count(&set).await.unwrap().0;
    assert_eq!(counted(SetExpression::LabelPrefix("site".into(), "bj".into())).await, 300);
    assert_eq!(counted(SetExpression::LabelPrefix("site".into(), "bj-1".into())).await, 280);
    assert_eq!(counted(SetExpression::IdPrefix("t2".into())).await, 100);
}

#[tokio::test]
async fn what_would_look_at_too_much_is_refused_by_name() {
    let store = fleet().await;
    let many: Vec<_> = (0..8193).flat_map(|index| ["0".to_owned(), format!("x{index}")]).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let begins = || SetExpression::IdPrefix("x".into());
    let starts = |key: &str| SetExpression::LabelPrefix(key.into(), "x".into());
    let _: u32 = store.ask("ZADD", "values:site", &many).await;
    assert_eq!(store.partition.count(&starts("site")).await, Err(BackplaneError::Broad("site".into())));
    assert_eq!(store.partition.count(&label("site", "bj")).await, Ok((3, 2)));
    let _: u32 = store.ask("ZADD", "names", &many).await;
    let refused = store.partition.count(&begins()).await;
    assert_eq!(refused, Err(BackplaneError::Broad("@id".into())));
    assert!(refused.unwrap_err().to_string().contains("too much by @id"));
    // All ranges of an expression together have the same bound.
    let _: u32 = store.ask("ZADD", "values:kind", &many[..2 * 5000]).await;
    assert!(store.partition.count(&starts("kind")).await.is_ok());
    assert_eq!(
        store.partition.count(&starts("kind").or(starts("kind"))).await,
        Err(BackplaneError::Broad("kind".into()))
    );
    let left: Vec<String> = store.call(redis::cmd("KEYS").arg("*tmp:*")).await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_terminal_is_plain_as_its_last_session_was() {
    let store = TestPartition::start().await;
    let joins = |protocol| with(session("a"), move |info| info.protocol = protocol);
    let plain = async || all_of(&store, Some(SetExpression::Plain)).await.join("");
    store.joined(&joins(Protocol::Plain), "n1").await;
    store.lease("n1", true).await;
    assert_eq!(plain().await, "a");
    store.joined(&joins(Protocol::V1), "n1").await;
    assert_eq!(plain().await, "");
    store.joined(&joins(Protocol::Plain), "n1").await;
    assert!(store.partition.forget(&"a".parse().unwrap()).await.unwrap());
    assert!(!store.bit("plain", 0).await);
}
