//! How a card writes numbers and texts.

use crate::report::Figures;

/// The bars of a course, from the least to the most.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The most bars of a course. Of a longer one, each bar is the highest of several steps.
const WIDTH: usize = 40;

/// The course of a run as bars, on a scale of powers of ten from 0.1 ms to 10 s. A step without a delivery is a blank.
pub fn course(steps: &[Option<f64>]) -> String {
    let size = steps.len().div_ceil(WIDTH).max(1);
    let highest = |steps: &[Option<f64>]| steps.iter().flatten().copied().reduce(f64::max);
    let bar = |value: Option<f64>| match value {
        Some(ms) => BARS[(((ms.max(0.1) / 0.1).log10() / 5.0 * 8.0) as usize).min(7)],
        None => ' ',
    };
    steps.chunks(size).map(|steps| bar(highest(steps))).collect()
}

/// A point of a distribution, with its unit; `-` if it has none.
pub fn point(figures: &Figures, name: &str) -> String {
    match figures.points.get(name) {
        Some(point) if point.milliseconds().is_finite() => format!("{point} ms"),
        Some(point) => point.to_string(),
        None => "-".into(),
    }
}

/// Memory in KiB.
pub fn bytes(bytes: u64) -> String {
    format!("{:.1} KiB", bytes as f64 / 1024.0)
}

/// A number with a comma before each third digit from the right.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let comma = |(index, digit): (usize, char)| {
        let is_third = index > 0 && (digits.len() - index).is_multiple_of(3);
        if is_third { vec![',', digit] } else { vec![digit] }
    };
    digits.chars().enumerate().flat_map(comma).collect()
}

/// A text in which nothing is taken for Markdown or for the end of a cell.
pub fn escaped(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut escaped = String::new();
    for character in one_line.chars() {
        if matches!(character, '|' | '<' | '*' | '_' | '[' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_written_for_people() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(escaped("a|b\n c_d <e>"), "a\\|b c\\_d \\<e>");
        assert_eq!(bytes(1536), "1.5 KiB");
    }

    #[test]
    fn a_course_shows_the_highest_of_several_steps() {
        assert_eq!(course(&[Some(0.1), None, Some(1e9)]), "▁ █");
        let long: Vec<_> = (0..81).map(|step| Some(if step == 1 { 1e9 } else { 0.1 })).collect();
        assert_eq!(course(&long).chars().next(), Some('█'));
        assert_eq!(course(&long).chars().count(), 27);
    }
}
