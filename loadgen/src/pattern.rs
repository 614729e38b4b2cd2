//! Texts in which `*` stands for any text, such as `{"type":"ping",*}`.

/// A text in which each `*` stands for any text, also for none. Without a `*` the text stands for itself alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// What comes before the first `*`.
    first: String,
    /// What follows each `*`.
    rest: Vec<String>,
}

impl Pattern {
    /// Parses a text. Every text is a pattern.
    pub fn new(text: &str) -> Self {
        let mut parts = text.split('*').map(str::to_owned);
        Self { first: parts.next().unwrap_or_default(), rest: parts.collect() }
    }

    /// Returns what the first `*` stands for in `text`; an empty text if the pattern has no `*`. `None` if the whole of
    /// `text` is not as the pattern says. Each `*` but the last stands for as little as possible.
    pub fn matched<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut left = text.strip_prefix(self.first.as_str())?;
        let Some((last, between)) = self.rest.split_last() else { return left.is_empty().then_some(left) };
        let mut found = None;
        for part in between {
            let at = left.find(part.as_str())?;
            found.get_or_insert(&left[..at]);
            left = &left[at + part.len()..];
        }
        let end = left.strip_suffix(last.as_str())?;
        Some(found.unwrap_or(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched<'a>(pattern: &str, text: &'a str) -> Option<&'a str> {
        Pattern::new(pattern).matched(text)
    }

    #[test]
    fn a_star_stands_for_any_text_and_the_first_one_is_told() {
        assert_eq!(matched("ping", "ping"), Some(""));
        assert_eq!(matched("ping *", "ping 17"), Some("17"));
        assert_eq!(matched(r#"*"op":"ping","t":*}"#, r#"{"op":"ping","t":17}"#), Some("{"));
        assert_eq!(matched(r#"{"t":*,"op":"ping"*}"#, r#"{"t":17,"op":"ping"}"#), Some("17"));
        assert_eq!(matched("*", ""), Some(""));
        assert_eq!(matched("a*b*", "a1b2b3"), Some("1"));
    }

    #[test]
    fn the_whole_text_must_match() {
        for (pattern, text) in [("ping", "ping "), ("ping", "pin"), ("a*a", "a"), ("*x", "xy"), ("a*b*c", "acb")] {
            assert_eq!(matched(pattern, text), None, "{pattern} {text}");
        }
    }
}
