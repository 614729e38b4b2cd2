//! Reads the TOML files of servers and scenarios. An unknown field is an error.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::de::DeserializeOwned;
use toml::Table;

/// Parses a file. The error names it, the line and the field.
pub fn parse<T: DeserializeOwned>(name: &str, text: &str) -> anyhow::Result<T> {
    toml::from_str(text).with_context(|| name.to_owned())
}

/// Replaces `{NAME}` in each text of a table. Other braces stay as they are.
pub fn fill(table: &Table, values: &BTreeMap<&str, String>) -> Table {
    table.iter().map(|(key, value)| (key.clone(), filled(value, values))).collect()
}

fn filled(value: &toml::Value, values: &BTreeMap<&str, String>) -> toml::Value {
    match value {
        toml::Value::String(text) => {
            let put = |text: String, (name, value): (&&str, &String)| text.replace(&format!("{{{name}}}"), value);
            values.iter().fold(text.clone(), put).into()
        }
        toml::Value::Array(list) => list.iter().map(|value| filled(value, values)).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_replaced_in_texts_and_lists() {
        let table: Table = "a = 'x {port} {message}'\nb = ['{port}', 2]".parse().unwrap();
        let filled = fill(&table, &BTreeMap::from([("port", "7".to_owned())]));
        assert_eq!(filled, "a = 'x 7 {message}'\nb = ['7', 2]".parse::<Table>().unwrap());
    }
}
