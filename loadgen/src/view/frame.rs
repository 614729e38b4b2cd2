//! One frame of the screen: boxes below each other, written with the control sequences that terminals have in common
//! (ECMA-48). A frame overwrites the one before it in place, so the screen doesn't flicker.

use std::fmt::Write;

/// Blocks of 0 to 8 eighths of a row.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A colour of the terminal's palette, by its number.
#[derive(Clone, Copy)]
pub enum Color {
    /// Green.
    Green = 2,
    /// Yellow.
    Yellow = 3,
    /// Blue.
    Blue = 4,
    /// Cyan.
    Cyan = 6,
}

/// A frame that is being made. Rows below the terminal's last row are left out.
pub struct Frame {
    height: usize,
    width: usize,
    colored: bool,
    row: usize,
    text: String,
}

impl Frame {
    /// An empty frame for a terminal with this number of rows and columns. Without `colored` it has no colours.
    pub fn new(height: u16, width: u16, colored: bool) -> Self {
        Self { height: height.into(), width: width.into(), colored, row: 0, text: String::new() }
    }

    /// The number of columns inside a box.
    pub fn inner_width(&self) -> usize {
        self.width.saturating_sub(2)
    }

    /// The number of rows that no box has taken.
    pub fn rows_left(&self) -> usize {
        self.height.saturating_sub(self.row)
    }

    /// Adds a box around `rows`, which [`bold`](Self::bold), [`gauge`](Self::gauge) and [`bars`](Self::bars) make.
    pub fn add_box(&mut self, title: &str, rows: &[String]) {
        let title = self.printable(title);
        let line = "─".repeat(self.inner_width() - title.chars().count());
        self.add_row('┌', &format!("{title}{line}"), '┐');
        for row in rows {
            self.add_row('│', row, '│');
        }
        self.add_row('└', &"─".repeat(self.inner_width()), '┘');
    }

    /// The right border is placed by its column, because not every character is one column wide.
    fn add_row(&mut self, left: char, row: &str, right: char) {
        if self.rows_left() > 0 {
            self.row += 1;
            let (number, width) = (self.row, self.width);
            let _ = write!(self.text, "\x1b[{number};1H{left}{row}\x1b[0m\x1b[K\x1b[{width}G{right}");
        }
    }

    /// A row of bold text.
    pub fn bold(&self, text: &str) -> String {
        format!("\x1b[1m{}", self.printable(text))
    }

    /// A row that is filled from the left up to `ratio` (0 to 1), with the label in its middle.
    pub fn gauge(&self, ratio: f64, label: &str, color: Color) -> String {
        let width = self.inner_width();
        let cells: Vec<char> = format!("{:^width$}", self.printable(label)).chars().collect();
        let (filled, empty) = cells.split_at(((width as f64 * ratio).round() as usize).min(width));
        // Reverse video where colours are off: the gauge must be seen there, too.
        let background = if self.colored { format!("\x1b[4{}m", color as u8) } else { "\x1b[7m".into() };
        let (filled, empty) = (String::from_iter(filled), String::from_iter(empty));
        format!("{background}{filled}\x1b[0m{}{empty}", self.foreground(color))
    }

    /// Rows with one bar for each value, at most one bar for each column. The highest value is as high as the rows.
    pub fn bars(&self, values: &[u64], rows: usize, color: Color) -> Vec<String> {
        let values = &values[..values.len().min(self.inner_width())];
        let highest = values.iter().copied().max().unwrap_or(0).max(1);
        let eighths = |value: u64| (u128::from(value) * rows as u128 * 8 / u128::from(highest)) as usize;
        let bar = |value: u64, below: usize| EIGHTHS[eighths(value).saturating_sub(below * 8).min(8)];
        let row = |below| values.iter().map(|value| bar(*value, below)).collect::<String>();
        (0..rows).rev().map(|below| self.foreground(color) + &row(below)).collect()
    }

    /// The control sequences and the text of the frame.
    pub fn into_text(self) -> String {
        self.text
    }

    fn foreground(&self, color: Color) -> String {
        if self.colored { format!("\x1b[3{}m", color as u8) } else { String::new() }
    }

    /// Text as it fits in a box, without control characters: a title must not move the cursor.
    fn printable(&self, text: &str) -> String {
        text.chars().filter(|char| !char.is_control()).take(self.inner_width()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_as_wide_as_the_terminal() {
        let mut frame = Frame::new(3, 8, true);
        let row = frame.bold("12345678");
        frame.add_box("title", &[row]);
        let end = "\x1b[0m\x1b[K\x1b[8G";
        let rows = [
            format!("\x1b[1;1H┌title─{end}┐"),
            format!("\x1b[2;1H│\x1b[1m123456{end}│"),
            format!("\x1b[3;1H└──────{end}┘"),
        ];
        assert_eq!(frame.into_text(), rows.concat());
    }

    #[test]
    fn a_title_cannot_control_the_terminal() {
        let mut frame = Frame::new(1, 20, true);
        frame.add_box("a\x1b[2Jb\r\n", &[]);
        assert!(frame.into_text().contains("┌a[2Jb─"));
    }

    #[test]
    fn the_highest_value_has_the_highest_bar() {
        let frame = Frame::new(9, 6, false);
        assert_eq!(frame.bars(&[0, 2, 4, 8], 2, Color::Green), ["   █", " ▄██"]);
        assert_eq!(frame.bars(&[0, 0], 1, Color::Green), ["  "]);
        assert_eq!(frame.bars(&[u64::MAX; 9], 1, Color::Cyan), ["████"]);
        assert_eq!(Frame::new(9, 6, true).bars(&[1], 1, Color::Yellow), ["\x1b[33m█"]);
    }

    #[test]
    fn a_gauge_is_filled_up_to_its_ratio() {
        let gauge = |ratio| Frame::new(3, 10, true).gauge(ratio, "1 s", Color::Blue);
        assert_eq!(gauge(0.0), "\x1b[44m\x1b[0m\x1b[34m  1 s   ");
        assert_eq!(gauge(0.5), "\x1b[44m  1 \x1b[0m\x1b[34ms   ");
        assert_eq!(gauge(1.0), "\x1b[44m  1 s   \x1b[0m\x1b[34m");
        assert!(Frame::new(3, 10, false).gauge(0.5, "1 s", Color::Blue).starts_with("\x1b[7m"));
    }

    #[test]
    fn a_terminal_of_any_size_is_drawn_on() {
        for (height, width) in [(0, 0), (1, 1), (2, 2), (5, 300)] {
            let mut frame = Frame::new(height, width, true);
            let rows = [frame.bold("text"), frame.gauge(1.0, "label", Color::Blue)];
            frame.add_box("title", &rows);
            frame.add_box("next", &frame.bars(&[1, 2, 3], 2, Color::Green));
            assert_eq!(frame.rows_left(), 0);
        }
    }
}
