//! The report as one HTML page that loads nothing: its style and its `charts` are part of the file. The page supports
//! light and dark displays and print, and stays readable without this program or a network. The template decides
//! nothing: `rows` makes the texts of its tables.

mod charts;
mod rows;

use std::fmt::Write as _;

use upon::{Engine, Value, fmt, value};

use super::Report;
use crate::{
    measure::{Account, Cohort},
    names::POINTS,
};

/// A cell of a table: a text, and the class that colours it if it is not empty.
const CELL: &str = r#"{% if class %}<span class="{{ class }}">{{ text }}</span>{% else %}{{ text }}{% endif %}"#;

/// Renders the report as an HTML page. Fails if the template can't be rendered.
pub fn render(report: &Report) -> anyhow::Result<String> {
    let mut engine = Engine::new();
    engine.set_default_formatter(&escaped);
    engine.add_formatter("raw", fmt::default);
    engine.add_function("ms", |number: &Value| milliseconds(float(number)));
    engine.add_function("count", |number: &Value| count(float(number)));
    engine.add_template("cell", CELL)?;
    engine.add_template("page", include_str!("page.html"))?;
    let mut all = Account::default();
    report.ledger.values().for_each(|account| all.add(account));
    let values = value! {
        report: from_json(serde_json::to_value(report)?),
        ledger: ledger(report)?,
        all: from_json(serde_json::to_value(all)?),
        title: if report.title.is_empty() { "muster-loadgen" } else { &report.title },
        outcome: report.verdict.outcome.label(),
        sentence: report.verdict.sentence(),
        doubts: report.verdict.doubts(),
        generators: Some(report.generators).filter(|generators| *generators > 1),
        lost: report.behaved().lost(),
        points: POINTS.map(|(name, _)| name),
        tiles: rows::tiles(report),
        times: rows::times(report),
        marks: rows::marks(report),
        examples: rows::examples(report),
        matrix: rows::matrix(report),
        costs: rows::costs(report),
        floor_p99: rows::floor_p99(report),
        latency: charts::latency(report).svg(),
        online: charts::online(report).svg(),
        percentiles: charts::percentiles(report).svg(),
    };
    Ok(engine.template("page").render_from(&values).to_string()?)
}

/// The accounts of the cohorts, in the order of the cohorts; a map of the template is ordered by name.
fn ledger(report: &Report) -> anyhow::Result<Vec<Value>> {
    let row = |(cohort, account): (&Cohort, &Account)| -> anyhow::Result<Value> {
        let (cohort, account) = (serde_json::to_value(cohort)?, serde_json::to_value(account)?);
        Ok(value! { cohort: from_json(cohort), account: from_json(account) })
    };
    report.ledger.iter().map(row).collect()
}

/// Writes a value with the characters escaped that mean something in HTML.
fn escaped(f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
    let Value::String(text) = value else { return fmt::default(f, value) };
    for char in text.chars() {
        match char {
            '&' => f.write_str("&amp;")?,
            '<' => f.write_str("&lt;")?,
            '>' => f.write_str("&gt;")?,
            '"' => f.write_str("&quot;")?,
            '\'' => f.write_str("&#39;")?,
            char => f.write_char(char)?,
        }
    }
    Ok(())
}

/// The same value for the template. The template's integers have a sign, so a larger one, such as a seed, becomes a text.
fn from_json(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::None,
        serde_json::Value::Bool(value) => value.into(),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(integer), _, _) => integer.into(),
            (None, None, Some(float)) => float.into(),
            _ => number.to_string().into(),
        },
        serde_json::Value::String(text) => text.into(),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(from_json).collect()),
        serde_json::Value::Object(fields) => {
            Value::Map(fields.into_iter().map(|(name, value)| (name, from_json(value))).collect())
        }
    }
}

/// The value as a number; not a number if it is none.
fn float(value: &Value) -> f64 {
    match value {
        Value::Integer(integer) => *integer as f64,
        Value::Float(float) => *float,
        _ => f64::NAN,
    }
}

/// Shows three significant digits, because the histogram has no more. Below 1 ms two decimals remain.
fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.2}"),
        ms if ms < 100.0 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    }
}

/// The number without decimals, with a narrow no-break space between groups of three digits.
fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let group = |(n, digit): (usize, char)| {
        let space = n > 0 && (digits.len() - n).is_multiple_of(3);
        space.then_some('\u{202f}').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &Value) -> String {
        let mut engine = Engine::new();
        engine.set_default_formatter(&escaped);
        engine.compile("{{ value }}").unwrap().render(&engine, value! { value: value }).to_string().unwrap()
    }

    #[test]
    fn texts_of_others_are_escaped() {
        assert_eq!(shown(&"<a href=\"x\">'&'</a>".into()), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
    }

    #[test]
    fn a_seed_beyond_the_templates_integers_keeps_its_digits() {
        assert_eq!(shown(&from_json(u64::MAX.into())), u64::MAX.to_string());
        assert_eq!(shown(&from_json(7.into())), "7");
    }

    #[test]
    fn numbers_have_the_digits_that_can_be_trusted() {
        assert_eq!([0.1234, 12.34, 1234.5].map(milliseconds), ["0.12", "12.3", "1234"]);
        assert_eq!([7.0, 1234.0, 1_234_567.0].map(count), ["7", "1\u{202f}234", "1\u{202f}234\u{202f}567"]);
    }
}
