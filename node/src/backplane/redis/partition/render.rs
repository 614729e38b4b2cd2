//! How the text of a script is put together, such that a call does little more than what its path through the script
//! needs.
//!
//! A script, or a library, names the libraries that it needs in its first line, `-- uses: events, presence`. What only
//! one path needs stands in that path, in a line of its own: `-- with: labels`. Lua makes the functions of a library
//! each time that it comes to their text, at about 0.25 µs each, so libraries that are rarely needed would be most of a
//! script's cost.
//!
//! A name of `lib/names.lua` is replaced by what it stands for where it is used, so that only the names of keys that a
//! call comes to are put together. Numbers and rules are defined before the script, each if it is used.

use std::collections::{HashMap, HashSet};

/// Returns a script's text, without its first line.
pub fn render(body: &str, names: &str, rules: &str, library: impl Fn(&str) -> &'static str) -> String {
    let libraries = Libraries { library: &library };
    let mut used = Vec::new();
    libraries.add(body, &mut used);
    let outer = used.iter().map(|name| library(name)).chain([body]).collect::<Vec<_>>().join("\n");
    let code = libraries.fill(&outer, &used);
    let code = with_names(&code, names);
    format!("local PREFIX, CHANNELS = KEYS[1], KEYS[2]\n{}{code}", definitions(&code, names, rules))
}

struct Libraries<'a> {
    library: &'a dyn Fn(&str) -> &'static str,
}

impl Libraries<'_> {
    /// Adds the libraries that a text needs, each once and after those that it needs itself.
    fn add<'a>(&self, text: &'a str, found: &mut Vec<&'a str>) {
        let line = text.lines().next().and_then(|line| line.strip_prefix("-- uses: ")).unwrap_or_default();
        self.add_all(line, found);
    }

    fn add_all<'a>(&self, list: &'a str, found: &mut Vec<&'a str>) {
        for name in list.split(", ").filter(|name| !name.is_empty()) {
            self.add((self.library)(name), found);
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }

    /// Returns the text with the libraries of its `-- with:` lines in their places, but for those that it has already.
    fn fill(&self, text: &str, has: &[&str]) -> String {
        let line = |line: &str| match line.trim_start().strip_prefix("-- with: ") {
            None => format!("{line}\n"),
            Some(list) => {
                let mut here = has.to_vec();
                self.add_all(list, &mut here);
                here[has.len()..].iter().flat_map(|name| [(self.library)(name), "\n"]).collect()
            }
        };
        text.lines().map(line).collect()
    }
}

/// `local NAME = PREFIX .. 'x'`: the name and what it stands for. None of another line.
fn name_of_key(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix("local ")?.split_once(" = ")?;
    (value.starts_with("PREFIX ..") || value.starts_with("CHANNELS ..")).then_some((name, value))
}

/// Returns the code with names of keys replaced by what they stand for. What stands in quotes or in comments is left as
/// it is.
fn with_names(code: &str, names: &str) -> String {
    let values: HashMap<_, _> = names.lines().filter_map(name_of_key).collect();
    let mut written = String::with_capacity(code.len() * 2);
    for line in code.lines() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
            let length = match first {
                '\'' | '"' => end_of_quote(rest),
                '-' if rest.starts_with("--") => rest.len(),
                _ if is_word(first) => rest.find(|character| !is_word(character)).unwrap_or(rest.len()),
                _ => first.len_utf8(),
            };
            let (piece, behind) = rest.split_at(length);
            written.push_str(values.get(piece).copied().unwrap_or(piece));
            rest = behind;
        }
        written.push('\n');
    }
    written
}

/// Returns the length of a text in quotes with which a line begins.
fn end_of_quote(line: &str) -> usize {
    let quote = line.as_bytes()[0];
    let mut escaped = false;
    for (at, byte) in line.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte == quote => return at + 1,
            _ => {}
        }
    }
    line.len()
}

/// Returns the definitions that the code uses, of numbers and rules.
fn definitions(code: &str, names: &str, rules: &str) -> String {
    let words: HashSet<_> = words(code).collect();
    let numbers = names.lines().filter(|line| name_of_key(line).is_none());
    let used = numbers.chain(rules.lines()).filter(|line| {
        let name = line.strip_prefix("local ").and_then(|line| line.split_whitespace().next());
        name.is_some_and(|name| words.contains(name))
    });
    used.flat_map(|line| [line, "\n"]).collect()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str = "local SEQ = PREFIX .. 'seq'\nlocal HELD = PREFIX .. 'held:'\nlocal STEP_MAX = 512";

    fn library(name: &str) -> &'static str {
        match name {
            "a" => "-- uses: b\nlocal a",
            "b" => "local b",
            "c" => "-- uses: b\nlocal c",
            other => panic!("{other}"),
        }
    }

    fn rendered(body: &str) -> String {
        render(body, NAMES, "local RULE = 7", library)
    }

    #[test]
    fn names_are_replaced_where_they_are_code() {
        let code = rendered("call('SEQ', SEQ, HELD .. node, \"\\\"SEQ\", SEQ_X) -- the operator's SEQ");
        let line = code.lines().last().unwrap();
        assert_eq!(
            line,
            r#"call('SEQ', PREFIX .. 'seq', PREFIX .. 'held:' .. node, "\"SEQ", SEQ_X) -- the operator's SEQ"#
        );
    }

    #[test]
    fn a_script_gets_only_the_definitions_that_it_uses() {
        assert_eq!(rendered("x(STEP_MAX)").lines().nth(1), Some("local STEP_MAX = 512"));
        assert_eq!(rendered("x(RULE)").lines().nth(1), Some("local RULE = 7"));
        assert_eq!(rendered("x()").lines().count(), 2);
    }

    #[test]
    fn a_library_stands_where_it_is_needed_and_once() {
        let code = rendered("-- uses: a\nif x then\n  -- with: c\n  y()\nend");
        let defined: Vec<_> = code.lines().filter(|line| !line.starts_with("--")).skip(1).collect();
        assert_eq!(defined, ["local b", "local a", "if x then", "local c", "  y()", "end"]);
    }
}
