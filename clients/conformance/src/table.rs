//! Reports of several clients, as one table in Markdown.

use crate::{
    report::{KitReport, Verdict},
    rules::RULES,
};

/// A row for each rule, a column for each client.
pub fn markdown(reports: &[KitReport]) -> String {
    let mut text = row("Rule", "", reports.iter().map(|report| report.client.as_str()));
    text += &row("---", "---", reports.iter().map(|_| "---"));
    for rule in RULES {
        text += &row(rule.id, rule.says, reports.iter().map(|report| cell(report, rule.id)));
    }
    text
}

fn cell(report: &KitReport, id: &str) -> &'static str {
    match report.rules.iter().find(|rule| rule.rule == id).map(|rule| &rule.verdict) {
        Some(Verdict::Kept) => "kept",
        Some(Verdict::Broken(_)) => "**broken**",
        Some(Verdict::NotTried { .. }) | None => "–",
    }
}

fn row<'a>(rule: &'a str, says: &'a str, cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<&str> = [rule, says].into_iter().chain(cells).collect();
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Break, RuleVerdict};

    #[test]
    fn a_client_has_a_column_and_a_rule_a_row() {
        let verdict =
            |rule: &str, verdict| RuleVerdict { rule: rule.into(), says: String::new(), scenario: None, verdict };
        let broken =
            Break { expected: String::new(), seen: String::new(), recording: Vec::new(), errors: String::new() };
        let rules = vec![verdict("R1", Verdict::Kept), verdict("R2", Verdict::Broken(broken))];
        let table = markdown(&[KitReport { client: "rust".into(), rules }]);
        let mut lines = table.lines();
        assert_eq!(lines.next(), Some("| Rule |  | rust |"));
        assert_eq!(lines.next(), Some("| --- | --- | --- |"));
        assert!(lines.next().unwrap().ends_with("| kept |"));
        assert!(lines.next().unwrap().ends_with("| **broken** |"));
        assert!(lines.all(|line| line.ends_with("| – |")));
    }
}
