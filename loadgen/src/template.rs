//! Texts with placeholders, such as `device-{n}`. A placeholder is a word of lower-case letters in braces; any other brace
//! stands for itself, so that JSON needs no escapes. `{{word}}` is the text `{word}`. A word that is no placeholder is an
//! error when the text is parsed, which is before the run.

/// The placeholders of a text that each terminal fills in for itself.
const OF_TERMINAL: &[&str] = &["n", "id", "seed", "credential"];
/// The placeholders of an answer of a terminal.
const OF_ANSWER: &[&str] = &["n", "id", "seed", "credential", "match"];
/// The placeholders of a text that is made for each message.
const OF_MESSAGE: &[&str] = &["n", "message"];

/// A parsed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(&'static str),
}

impl Template {
    /// Parses a text for terminals: `{n}` is the number of the terminal from 0, `{id}` its id, `{seed}` a number of its own
    /// that follows from the seed of the run, and `{credential}` its line of the file of credentials.
    pub fn of_terminal(text: &str) -> Result<Self, String> {
        Self::parse(text, OF_TERMINAL)
    }

    /// Parses an answer: as [`Template::of_terminal`], and `{match}` is what the first `*` of the pattern stands for.
    pub fn of_answer(text: &str) -> Result<Self, String> {
        Self::parse(text, OF_ANSWER)
    }

    /// Parses a text for messages: `{n}` is the number of the message from 0, and `{message}` its content.
    pub fn of_message(text: &str) -> Result<Self, String> {
        Self::parse(text, OF_MESSAGE)
    }

    /// A text without placeholders: braces stand for themselves.
    pub fn literal(text: &str) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    /// Whether the text has this placeholder.
    pub fn names(&self, placeholder: &str) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Placeholder(name) if *name == placeholder))
    }

    /// The text with each placeholder replaced by what `value` returns for its name.
    pub fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Placeholder(name) => value(name),
        };
        self.0.iter().map(part).collect()
    }

    fn parse(text: &str, known: &[&'static str]) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            literal.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(word) =
                rest.strip_prefix('{').and_then(word).filter(|word| rest[2 + word.len()..].starts_with("}}"))
            {
                literal.push_str(&rest[1..word.len() + 3]);
                rest = &rest[word.len() + 4..];
            } else if let Some(word) = word(rest) {
                let name = known.iter().find(|name| **name == word).ok_or_else(|| unknown(word, known))?;
                parts.push(Part::Text(std::mem::take(&mut literal)));
                parts.push(Part::Placeholder(name));
                rest = &rest[word.len() + 2..];
            } else {
                literal.push('{');
                rest = &rest[1..];
            }
        }
        literal.push_str(rest);
        parts.push(Part::Text(literal));
        Ok(Self(parts))
    }
}

/// The word in braces with which `text` begins.
fn word(text: &str) -> Option<&str> {
    let (word, _) = text.strip_prefix('{')?.split_once('}')?;
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_word.then_some(word)
}

fn unknown(word: &str, known: &[&str]) -> String {
    let known: Vec<_> = known.iter().map(|name| format!("{{{name}}}")).collect();
    format!("{{{word}}} is no placeholder: there are {}; {{{{{word}}}}} is the text itself", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        Template::of_terminal(text).unwrap().fill(|name| format!("<{name}>"))
    }

    #[test]
    fn words_in_braces_are_filled_in_and_other_braces_stand_for_themselves() {
        assert_eq!(filled("device-{n}/{seed}"), "device-<n>/<seed>");
        assert_eq!(filled(r#"{"join":{"id":"{id}"}}"#), r#"{"join":{"id":"<id>"}}"#);
        assert_eq!(filled("{{n}} {{id}}{id}"), "{n} {id}<id>");
        assert_eq!(filled("{ n } {} { {"), "{ n } {} { {");
        assert_eq!(filled("{é}{n}"), "{é}<n>");
        assert_eq!(filled(""), "");
    }

    #[test]
    fn a_word_that_is_no_placeholder_is_an_error_that_names_those_that_are() {
        let told = Template::of_terminal("x{number}").unwrap_err();
        assert_eq!(
            told,
            "{number} is no placeholder: there are {n}, {id}, {seed}, {credential}; {{number}} is the text itself"
        );
        assert!(Template::of_message("{id}").is_err() && Template::of_message("{message}").unwrap().names("message"));
    }
}
