//! Selectors: those in requests of operators, and those that are saved under a name.

use std::{collections::BTreeMap, sync::LazyLock};

use muster_protocol::{
    Selector, TerminalId,
    selector::{EXPRESSION_BYTES_MAX, Labels, MatchExpression, MatchTree},
};

/// The terminals of which is asked whether an expression picks them.
static TERMINALS: LazyLock<[(TerminalId, Labels); 2]> = LazyLock::new(|| {
    let labels = [("site", "bj"), ("version", "1.9")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    [("t1", labels.into()), ("t2", Labels::new())].map(|(id, labels)| (id.parse().expect("an id"), labels))
});

/// A selector, as the body of a command has it.
pub fn selector(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<Selector>(bytes) else { return };
    let written = serde_json::to_string(&read).expect("a selector has a JSON form");
    assert_eq!(serde_json::from_str::<Selector>(&written).expect("a selector that was written is one"), read);
    assert!(written.len() <= bytes.len(), "{written}");
    if let Selector::Match(expression) = &read {
        let printed = expression.tree().to_string();
        match printed.parse::<MatchExpression>() {
            Ok(again) => assert_eq!(again.tree(), expression.tree(), "{printed}"),
            // What is printed has spaces that were not there.
            Err(error) => assert!(printed.len() > EXPRESSION_BYTES_MAX, "{printed}: {error}"),
        }
    }
}

/// A saved selector, and an expression that names it: a line each. With what is saved in place of its name, the expression picks the
/// terminals that it says.
pub fn saved_selector(bytes: &[u8]) {
    let lines = str::from_utf8(bytes).ok().and_then(|text| text.split_once('\n'));
    let read = |text: &str| text.parse::<MatchExpression>().ok();
    let Some((Some(saved), Some(naming))) = lines.map(|(saved, naming)| (read(saved), read(naming))) else { return };
    let characters = naming.as_str().chars().count();
    let at = |name| naming.problem_with(name, "gone").at;
    assert!(naming.saved().into_iter().all(|name| (1..=characters).contains(&at(name))), "{naming}");
    // The API does not save an expression that names another one.
    if !saved.saved().is_empty() {
        return;
    }
    let all: BTreeMap<_, _> = naming.saved().into_iter().map(|name| (name.clone(), saved.clone())).collect();
    let Ok(expanded) = naming.expanded(&all) else { return };
    assert!(expanded.saved().is_empty() && expanded.as_str().len() <= EXPRESSION_BYTES_MAX, "{expanded}");
    for (id, labels) in &*TERMINALS {
        let terms = |tree: &MatchTree| tree.picks(id, labels);
        assert_eq!(terms(expanded.tree()), picks(naming.tree(), &terms, terms(saved.tree())), "{expanded}");
    }
}

/// Whether an expression picks a terminal of which `terms` says whether it meets a term, and `saved` whether it meets what is saved.
fn picks(tree: &MatchTree, terms: &impl Fn(&MatchTree) -> bool, saved: bool) -> bool {
    match tree {
        MatchTree::All(parts) => parts.iter().all(|part| picks(part, terms, saved)),
        MatchTree::Any(parts) => parts.iter().any(|part| picks(part, terms, saved)),
        MatchTree::Not(part) => !picks(part, terms, saved),
        MatchTree::Saved(_) => saved,
        MatchTree::Term(_) => terms(tree),
    }
}
