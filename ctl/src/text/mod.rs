//! What is printed: tables and JSON on standard output; progress and questions on standard error.

mod progress;
mod table;
mod words;

use std::{
    io::{self, IsTerminal, Write},
    time::SystemTime,
};

use jiff::Timestamp;

pub use self::{
    progress::{ProgressLine, bar, states},
    table::TextTable,
    words::{enrolment_words, labels, notice_words, selected, token_words, word},
};

/// Prints what was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    json: bool,
}

impl Printer {
    /// Prints JSON, as the API has it, or text for people.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Returns whether JSON is printed.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints lines. A text from elsewhere must be [`printable`].
    ///
    /// # Errors
    /// If standard output can't be written to.
    pub fn print(self, lines: &str) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{lines}")?;
        Ok(out.flush()?)
    }

    /// Prints the JSON, or else the text that `line` makes.
    ///
    /// # Errors
    /// As [`print`](Self::print).
    pub fn either(self, json: &str, line: impl FnOnce() -> String) -> anyhow::Result<()> {
        if self.json { self.print(&json_line(json)) } else { self.print(&line()) }
    }
}

/// Writes a line for people to standard error.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Asks a question on the screen. Returns true if the answer is yes, or if nobody is there to answer.
pub fn confirmed(question: &str) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return true;
    }
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// Returns the text, and escapes each character that could harm a screen: control characters, and those that hide or
/// turn others.
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => printable.push('\n'),
            _ if is_harmful(character) => printable.extend(character.escape_unicode()),
            _ => printable.push(character),
        }
    }
    printable
}

/// Returns the text as [`printable`] does, on one line.
pub fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

/// Returns the JSON on one line, and escapes each character that could harm a screen. Its meaning stays.
fn json_line(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            // Between the tokens: in a JSON string these characters are escaped.
            '\n' | '\r' | '\t' => {}
            _ if is_harmful(character) => {
                let mut units = [0; 2];
                line.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
            }
            _ => line.push(character),
        }
    }
    line
}

fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns the time in whole seconds, in UTC.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Returns how long ago it was, such as `3m`.
pub fn ago(at: Timestamp) -> String {
    let now = Timestamp::try_from(SystemTime::now()).unwrap_or(at);
    span(now.as_second() - at.as_second())
}

/// Returns a number of seconds in its largest unit.
pub fn span(seconds: i64) -> String {
    match seconds {
        ..0 => "0s".into(),
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Returns a number with its noun: `1 terminal`, `2 terminals`, `1,234 terminals`.
pub fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Returns the number with a comma before each three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_harm_a_screen_is_escaped() {
        assert_eq!(printable("kiosk é 北京 <b>"), "kiosk é 北京 <b>");
        assert_eq!(printable("\u{1b}[31m\r\u{202e}x\u{200b}\u{9b}"), r"\u{1b}[31m\u{d}\u{202e}x\u{200b}\u{9b}");
        assert_eq!(one_line("a\nb"), r"a\nb");
        let json = json_line("{\"a\":\n\"\u{202e}\u{e0001}\"}");
        assert_eq!(json, r#"{"a":"\u202e\udb40\udc01"}"#);
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!([1, 1234, 1_234_567].map(grouped), ["1", "1,234", "1,234,567"]);
        assert_eq!((count(1, "terminal").as_str(), count(0, "terminal").as_str()), ("1 terminal", "0 terminals"));
        assert_eq!([-5, 5, 600, 7200, 400_000].map(span), ["0s", "5s", "10m", "2h", "4d"]);
    }
}
