//! Line charts as inline SVG for the HTML page, without scripts, fonts or external files. Colours are CSS classes,
//! for which the page's style has a light and a dark value.

use std::fmt::Write as _;

/// The size of a chart and its margins, in SVG user units.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 28.0;
const TOP: f64 = 14.0;
const RIGHT: f64 = 12.0;

/// One line of a chart.
pub struct ChartLine {
    /// The CSS class of the line, which sets its colour.
    pub class: &'static str,
    /// The name in the legend; a line with an empty name is not listed.
    pub name: String,
    /// The points. The line is interrupted where the value is `None` or not finite.
    pub points: Vec<(f64, Option<f64>)>,
}

/// The scale of the vertical axis.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Linear, from zero.
    Linear,
    /// Logarithmic.
    Log,
}

/// A chart.
pub struct Chart {
    /// The unit of the vertical axis.
    pub unit: &'static str,
    /// The scale of the vertical axis.
    pub scale: Scale,
    /// The labels of the horizontal axis: value and text. The text is not escaped.
    pub below: Vec<(f64, String)>,
    /// The first and the last value of the horizontal axis.
    pub span: (f64, f64),
    /// The lines, the first one at the bottom.
    pub lines: Vec<ChartLine>,
    /// Vertical marks: the value on the horizontal axis and the text.
    pub marks: Vec<(f64, String)>,
}

impl Chart {
    /// The chart as an SVG element.
    pub fn svg(&self) -> String {
        let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
        self.grid(&mut svg);
        for (at, text) in &self.marks {
            let x = self.x(*at);
            let _ = write!(
                svg,
                "<line class=\"mark\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{:.1}\"/>",
                HEIGHT - BOTTOM
            );
            let _ =
                write!(svg, "<text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", x + 4.0, TOP + 8.0, escape(text));
        }
        self.lines.iter().for_each(|line| self.line(&mut svg, line));
        self.legend(&mut svg);
        svg + "</svg>"
    }

    fn line(&self, svg: &mut String, line: &ChartLine) {
        let mut path = String::new();
        let mut pen_down = false;
        for (x, y) in &line.points {
            let Some(y) = y.filter(|y| y.is_finite()) else {
                pen_down = false;
                continue;
            };
            let _ = write!(path, "{}{:.1} {:.1}", if pen_down { "L" } else { "M" }, self.x(*x), self.y(y));
            pen_down = true;
        }
        let _ = write!(svg, "<path class=\"{}\" d=\"{path}\"/>", line.class);
    }

    fn legend(&self, svg: &mut String) {
        let mut x = WIDTH - RIGHT;
        for line in self.lines.iter().rev().filter(|line| !line.name.is_empty()) {
            x -= 7.0 * line.name.len() as f64 + 26.0;
            let _ = write!(svg, "<path class=\"{}\" d=\"M{x:.1} 8h14\"/>", line.class);
            let _ = write!(svg, "<text x=\"{:.1}\" y=\"12\">{}</text>", x + 18.0, escape(&line.name));
        }
    }

    fn grid(&self, svg: &mut String) {
        for value in self.steps() {
            let y = self.y(value);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/>",
                WIDTH - RIGHT
            );
            let _ = write!(
                svg,
                "<text class=\"left\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                short(value)
            );
        }
        let _ = write!(svg, "<text x=\"4\" y=\"12\">{}</text>", self.unit);
        for (at, label) in &self.below {
            let _ =
                write!(svg, "<text class=\"below\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>", self.x(*at), HEIGHT - 8.0);
        }
    }

    fn x(&self, value: f64) -> f64 {
        let (from, to) = self.span;
        LEFT + (value - from) / (to - from).max(1e-9) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = self.range();
        let part = match self.scale {
            Scale::Linear => value / high,
            Scale::Log => (value.max(low) / low).ln() / (high / low).ln(),
        };
        HEIGHT - BOTTOM - part.clamp(0.0, 1.0) * (HEIGHT - BOTTOM - TOP - 8.0)
    }

    /// The lowest and the highest value of the vertical axis. A linear axis begins at zero, a logarithmic one at the
    /// greatest of 1, 2 or 5 times a power of ten that is not above the least value. A chart without positive values
    /// has the range 1 to 10.
    fn range(&self) -> (f64, f64) {
        let values = self.lines.iter().flat_map(|line| line.points.iter().filter_map(|(_, y)| *y));
        let values = values.filter(|y| y.is_finite() && *y > 0.0);
        let (least, most) = values.fold((f64::MAX, 0.0_f64), |(least, most), y| (least.min(y), most.max(y)));
        match self.scale {
            _ if most == 0.0 => (1.0, 10.0),
            Scale::Linear => (0.0, nice(most)),
            Scale::Log => {
                let steps = decades();
                let low = steps.iter().rev().find(|step| **step <= least).copied().unwrap_or(least);
                (low, steps.into_iter().find(|step| *step >= most && *step > low * 3.0).unwrap_or(most))
            }
        }
    }

    fn steps(&self) -> Vec<f64> {
        let (low, high) = self.range();
        match self.scale {
            Scale::Linear => (0..=4).map(|n| high * f64::from(n) / 4.0).collect(),
            Scale::Log => {
                let within = decades().into_iter().filter(|step| (low * 0.999..=high * 1.001).contains(step));
                // An axis over many decades has labels at powers of ten only.
                within.filter(|step| high / low < 500.0 || step.log10().fract().abs() < 1e-9).collect()
            }
        }
    }
}

/// 1, 2 and 5 times each power of ten, from 0.001 to 5,000,000.
fn decades() -> Vec<f64> {
    (-3..7).flat_map(|n| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(n))).collect()
}

/// The least round number that is not below `value`.
fn nice(value: f64) -> f64 {
    let magnitude = 10_f64.powf(value.log10().floor());
    [1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 5.0, 6.0, 8.0, 10.0]
        .iter()
        .map(|step| step * magnitude)
        .find(|step| *step >= value)
        .unwrap_or(value)
}

fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.1}M", value / 1e6),
        value if value >= 1e4 => format!("{:.0}k", value / 1e3),
        value if value >= 10.0 || value == 0.0 => format!("{value:.0}"),
        value => format!("{value}").chars().take(5).collect(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
