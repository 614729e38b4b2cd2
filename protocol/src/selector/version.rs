//! Versions in the values of labels, such as `1.10.2` or `2.0-rc.1`, and how they compare.

use std::cmp::Ordering;

/// The longest text that is a version, in bytes.
const VERSION_BYTES_MAX: usize = 64;

/// A version: numbers between dots, and perhaps a `-` and a pre-release, whose parts have dots between them too.
/// Numbers that are missing at the end are zeros. A pre-release is lower than the version itself. The parts of two
/// pre-releases compare as in Semantic Versioning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelVersion {
    text: String,
    key: String,
}

impl LabelVersion {
    /// Reads a version. `None` if the text is no version, or has more than 64 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let (numbers, pre_release) = text.split_once('-').map_or((text, None), |(numbers, pre)| (numbers, Some(pre)));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_part =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let is_version = numbers.split('.').all(is_number) && pre_release.is_none_or(|pre| pre.split('.').all(is_part));
        (is_version && text.len() <= VERSION_BYTES_MAX)
            .then(|| Self { text: text.to_owned(), key: numbers_key(numbers) + &pre_release_key(pre_release) })
    }

    /// Returns the version as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns a text of digits alone. The keys of two versions compare, as texts, as the versions do. `lib/ranges.lua`
    /// makes the same key.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Returns each number as its length and its digits. The length is 2 too large: 00 and 01 stand for what ends the
/// numbers.
fn numbers_key(numbers: &str) -> String {
    let (mut key, mut zeros) = (String::new(), String::new());
    for number in numbers.split('.') {
        match number.trim_start_matches('0') {
            "" => zeros += "02",
            digits => key += &format!("{}{:02}{digits}", std::mem::take(&mut zeros), digits.len() + 2),
        }
    }
    key
}

/// Returns what ends the numbers: 00 and the parts of a pre-release, or 01.
fn pre_release_key(pre_release: Option<&str>) -> String {
    let Some(pre_release) = pre_release else { return "01".to_owned() };
    let mut key = "00".to_owned();
    for part in pre_release.split('.') {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            let digits = part.trim_start_matches('0');
            key += &format!("1{:02}{digits}", digits.len());
        } else {
            let bytes: String = part.bytes().map(|byte| format!("{byte:03}")).collect();
            key += &format!("2{bytes}000");
        }
    }
    key + "0"
}

/// How a label's version must compare with another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionOrder {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

impl VersionOrder {
    /// Returns the operator in an expression.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Returns whether a value compares in this order with `than`. False for a value that is no version.
    pub fn holds(self, value: &str, than: &LabelVersion) -> bool {
        let Some(version) = LabelVersion::parse(value) else { return false };
        let order = version.key.cmp(&than.key);
        match self {
            Self::Below => order == Ordering::Less,
            Self::AtMost => order != Ordering::Greater,
            Self::Above => order == Ordering::Greater,
            Self::AtLeast => order != Ordering::Less,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> String {
        LabelVersion::parse(text).unwrap_or_else(|| panic!("{text} is no version")).key
    }

    #[test]
    fn versions_are_in_this_order() {
        let ascending = [
            "0",
            "0.0.1",
            "0.9",
            "0.10",
            "1-0",
            "1-1",
            "1-2",
            "1-10",
            "1-10.0",
            "1-alpha",
            "1-alpha.1",
            "1-alpha.beta",
            "1-alpha1",
            "1-beta",
            "1",
            "1.0.0.1-rc",
            "1.0.0.1",
            "1.2-rc",
            "1.2",
            "1.2.1",
            "1.10",
            "2",
            "10",
            "123456789012345678901234567890",
        ];
        for pair in ascending.windows(2) {
            assert!(key(pair[0]) < key(pair[1]), "{} is not below {}", pair[0], pair[1]);
        }
        for (one, other) in [("1", "1.0.0"), ("1.2-rc", "1.2.0-rc"), ("01.002", "1.2"), ("1-07", "1-7")] {
            assert_eq!(key(one), key(other), "{one} and {other}");
        }
        assert!(key("1.2.3-a-b.4").bytes().all(|byte| byte.is_ascii_digit()));
    }

    #[test]
    fn what_is_no_version_never_compares() {
        let long = "1".repeat(65);
        for text in ["", "v1", "1.", ".1", "1..2", "1-", "1-a..b", "1-a b", "1+5", "1.x", "-1", "latest", "١", &long] {
            assert_eq!(LabelVersion::parse(text), None, "{text}");
            assert!(!VersionOrder::Below.holds(text, &LabelVersion::parse("9").unwrap()), "{text}");
        }
    }

    #[test]
    fn an_order_holds_for_what_its_symbol_says() {
        let than = LabelVersion::parse("1.2").unwrap();
        let held = |order: VersionOrder| ["1.1", "1.2.0", "1.3"].map(|value| order.holds(value, &than));
        assert_eq!(held(VersionOrder::Below), [true, false, false]);
        assert_eq!(held(VersionOrder::AtMost), [true, true, false]);
        assert_eq!(held(VersionOrder::Above), [false, false, true]);
        assert_eq!(held(VersionOrder::AtLeast), [false, true, true]);
    }
}
