//! Reads one condition of an expression.

use serde::de::DeserializeOwned;

use super::{
    invalid_match::InvalidMatch,
    labels::check_text,
    parser::{MatchParser, is_keyword},
    saved::SAVED,
    term::MatchTerm,
    tokens::MatchToken,
    tree::MatchTree,
    version::{LabelVersion, VersionOrder},
};
use crate::TerminalId;

/// A value, and the byte at which it stands.
type PlacedValue = (usize, String);

const COMPARISONS: [&str; 7] = ["=", "!=", "^=", "<", "<=", ">", ">="];
const A_COMPARISON: &str = "=, !=, ^=, <, <=, >, >=, in or exists";
const A_KEY: &str = "a key, not, or \"(\"";
const RESERVED: &str = "@id, @status, @condition, @node, @protocol or @saved";

impl MatchParser<'_> {
    pub(super) fn condition(&mut self) -> Result<MatchTree, InvalidMatch> {
        let key_at = self.at;
        let is_key = match &self.token {
            MatchToken::Word(word) => !is_keyword(word),
            MatchToken::Quoted(_) | MatchToken::Reserved(_) => true,
            MatchToken::Sign(_) | MatchToken::End => false,
        };
        if !is_key {
            return Err(self.unexpected(A_KEY));
        }
        let key = self.advance()?;
        if key == MatchToken::Reserved(SAVED.into()) {
            self.count_terms(key_at, 1)?;
            return self.saved();
        }
        let sign_at = self.at;
        let sign = self.comparison()?;
        let values = self.values(sign)?;
        let term = match key {
            MatchToken::Reserved(key) => self.reserved_term(&key, key_at, sign, sign_at, &values)?,
            MatchToken::Word(key) | MatchToken::Quoted(key) => self.label_term(key, key_at, sign, values)?,
            MatchToken::Sign(_) | MatchToken::End => return Err(self.unexpected(A_KEY)),
        };
        self.count_terms(key_at, term.weight())?;
        let term = MatchTree::Term(term);
        Ok(if sign == "!=" { MatchTree::Not(Box::new(term)) } else { term })
    }

    /// Reads what stands behind `@saved`.
    fn saved(&mut self) -> Result<MatchTree, InvalidMatch> {
        self.take_sign("(", "\"(\" and the name of a saved selector")?;
        let name = self.value()?;
        self.take_sign(")", "\")\"")?;
        Ok(MatchTree::Saved(self.named(&[name], "the name of a saved selector")?.remove(0)))
    }

    fn comparison(&mut self) -> Result<&'static str, InvalidMatch> {
        let word = |word: &str| ["in", "exists"].into_iter().find(|known| *known == word);
        let found = match &self.token {
            MatchToken::Sign(sign) => COMPARISONS.into_iter().find(|known| known == sign),
            MatchToken::Word(text) => word(text),
            _ => None,
        };
        let found = found.ok_or_else(|| self.unexpected(A_COMPARISON))?;
        self.advance()?;
        Ok(found)
    }

    /// Reads what stands behind a comparison: nothing, a list, or one value.
    fn values(&mut self, sign: &str) -> Result<Vec<PlacedValue>, InvalidMatch> {
        match sign {
            "exists" => return Ok(Vec::new()),
            "in" => {}
            _ => return Ok(vec![self.value()?]),
        }
        self.take_sign("(", "\"(\" and a list of values")?;
        let mut values = vec![self.value()?];
        while self.token == MatchToken::Sign(",") {
            self.advance()?;
            values.push(self.value()?);
        }
        self.take_sign(")", "\",\" or \")\"")?;
        Ok(values)
    }

    fn value(&mut self) -> Result<PlacedValue, InvalidMatch> {
        let at = self.at;
        if !matches!(self.token, MatchToken::Word(_) | MatchToken::Quoted(_)) {
            return Err(self.unexpected("a value"));
        }
        match self.advance()? {
            MatchToken::Word(text) | MatchToken::Quoted(text) => Ok((at, text)),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn label_term(
        &self,
        key: String,
        key_at: usize,
        sign: &str,
        values: Vec<PlacedValue>,
    ) -> Result<MatchTerm, InvalidMatch> {
        if key.contains('=') {
            return Err(self.error(key_at, "no label has such a key: it has the character ="));
        }
        check_text(&key).map_err(|error| self.error(key_at, format!("no label has such a key; {error}")))?;
        for (at, value) in &values {
            check_text(value).map_err(|error| self.error(*at, format!("no label has such a value; {error}")))?;
        }
        let order = match sign {
            "<" => VersionOrder::Below,
            "<=" => VersionOrder::AtMost,
            ">" => VersionOrder::Above,
            ">=" => VersionOrder::AtLeast,
            _ => {
                let mut any_of: Vec<_> = values.into_iter().map(|(_, value)| value).collect();
                return Ok(match sign {
                    "exists" => MatchTerm::HasKey(key),
                    "^=" => MatchTerm::ValuePrefix { key, prefix: any_of.remove(0) },
                    _ => MatchTerm::Values { key, any_of },
                });
            }
        };
        let (at, text) = &values[0];
        let no_version = || self.error(*at, format!("expected a version such as 1.2 or 1.2-rc.1, found {text:?}"));
        let than = LabelVersion::parse(text).ok_or_else(no_version)?;
        Ok(MatchTerm::Version { key, order, than })
    }

    fn reserved_term(
        &self,
        key: &str,
        key_at: usize,
        sign: &str,
        sign_at: usize,
        values: &[PlacedValue],
    ) -> Result<MatchTerm, InvalidMatch> {
        let takes = |signs: &str| Err(self.error(sign_at, format!("{key} takes {signs}")));
        let is_one_of = matches!(sign, "=" | "!=" | "in");
        match key {
            "@id" if is_one_of => self.named(values, "a terminal id").map(MatchTerm::Ids),
            "@id" if sign == "^=" => {
                let ids = self.named::<TerminalId>(values, "the beginning of a terminal id")?;
                Ok(MatchTerm::IdPrefix(ids[0].to_string()))
            }
            "@id" => takes("=, !=, ^= and in"),
            "@status" if is_one_of => self.named(values, "online, stale or offline").map(MatchTerm::Statuses),
            "@condition" if is_one_of => self.named(values, "ok, degraded or failing").map(MatchTerm::Conditions),
            "@protocol" if is_one_of => self.named(values, "v1 or plain").map(MatchTerm::Protocols),
            "@status" | "@condition" | "@protocol" => takes("=, != and in"),
            "@node" if is_one_of => self.named(values, "a node id").map(MatchTerm::Nodes),
            "@node" if sign == "exists" => Ok(MatchTerm::Connected),
            "@node" => takes("=, !=, in and exists"),
            _ => Err(self.error(key_at, format!("expected {RESERVED}; a label's key with @ needs quotes"))),
        }
    }

    /// Returns the values as what the API names by them, such as statuses.
    fn named<T: DeserializeOwned>(&self, values: &[PlacedValue], expected: &str) -> Result<Vec<T>, InvalidMatch> {
        let one = |(at, text): &PlacedValue| {
            let found = MatchToken::Word(text.clone());
            serde_json::from_value(text.as_str().into())
                .map_err(|_| self.error(*at, format!("expected {expected}, found {}", found.shown())))
        };
        values.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::MatchExpression;

    fn refused(text: &str) -> String {
        text.parse::<MatchExpression>().expect_err(text).to_string()
    }

    #[test]
    fn a_bad_one_is_refused_with_the_place_and_what_was_expected() {
        for (text, expected) in [
            ("", r#"at character 1: expected a key, not, or "(", found the end"#),
            ("site", "at character 5: expected =, !=, ^=, <, <=, >, >=, in or exists, found the end"),
            ("site = ", "at character 8: expected a value, found the end"),
            ("site = bj kind = x", r#"at character 11: expected and, or, or the end, found "kind""#),
            ("site = bj and", r#"at character 14: expected a key, not, or "(", found the end"#),
            ("and = 1", r#"at character 1: expected a key, not, or "(", found "and""#),
            ("(site = bj", r#"at character 11: expected and, or, or ")", found the end"#),
            ("site in bj", r#"at character 9: expected "(" and a list of values, found "bj""#),
            ("site in (bj sh)", r#"at character 13: expected "," or ")", found "sh""#),
            ("site in ()", r#"at character 10: expected a value, found ")""#),
            ("site = ü", "at character 8: 'ü' has no meaning here; a text with it needs quotes"),
            (r#"site = "bj"#, "at character 8: these quotes are not closed"),
            (r#"site = "\x""#, "at character 8: what stands in quotes is written as a JSON string"),
            (r#""ü" = 1 = 2"#, r#"at character 9: expected and, or, or the end, found "=""#),
            ("version < v2", r#"at character 11: expected a version such as 1.2 or 1.2-rc.1, found "v2""#),
            ("@status = up", r#"at character 11: expected online, stale or offline, found "up""#),
            ("@status < online", "at character 9: @status takes =, != and in"),
            ("@id exists", "at character 5: @id takes =, !=, ^= and in"),
            ("@node ^= n", "at character 7: @node takes =, !=, in and exists"),
            ("@id = a/b", r#"at character 7: expected a terminal id, found "a/b""#),
            (
                "@site = bj",
                "at character 1: expected @id, @status, @condition, @node, @protocol or @saved; a label's key with @ needs quotes",
            ),
            ("@saved = a", r#"at character 8: expected "(" and the name of a saved selector, found "=""#),
            ("@saved(a/b)", r#"at character 8: expected the name of a saved selector, found "a/b""#),
            ("@saved(a b)", r#"at character 10: expected ")", found "b""#),
            (r#"site = "a,b""#, "at character 8: no label has such a value; labels: a key or a value has a comma"),
            (r#""a=b" = c"#, "at character 1: no label has such a key: it has the character ="),
            ("not not site = bj", r#"at character 5: expected a key, not, or "(", found "not""#),
        ] {
            assert_eq!(refused(text), format!("match: {expected}"), "{text}");
        }
    }

    #[test]
    fn an_expression_is_bounded() {
        let fits = |text: String| text.parse::<MatchExpression>().is_ok();
        let terms = |count: usize| vec!["a=1"; count].join(" or ");
        assert!(fits(terms(64)));
        assert!(refused(&terms(65)).contains("more than 64 terms"));
        assert!(refused(&format!("a in ({})", vec!["1"; 65].join(","))).contains("more than 64 terms"));
        let groups = |depth: usize| "(".repeat(depth) + "a=1" + &")".repeat(depth);
        assert!(fits(groups(16)) && fits(format!("not {} or {}", groups(16), groups(16))));
        assert!(refused(&groups(17)).contains("at character 17: more than 16 groups"));
        assert!(fits(" ".repeat(2045) + "a=1"));
        assert!(refused(&(" ".repeat(2046) + "a=1")).contains("2049 bytes"));
    }
}
