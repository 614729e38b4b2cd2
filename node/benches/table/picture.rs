//! The ratios to the floor as a picture (SVG): a bar for each server, with the interval of its median.

use std::fmt::Write;

use crate::{
    interval::Interval,
    page::{digits, measured, shown_values},
    result::TableResult,
    row::{FLOOR, RowUnit, TableRow},
};

/// Pixels: the whole width, where bars begin, the width of the longest bar, and the height of a line.
const WIDTH: f64 = 860.0;
const LEFT: f64 = 200.0;
const BAR: f64 = 560.0;
const LINE: f64 = 20.0;
/// What the lines are.
const LEGEND: &str = "bar: the median; thin line: the interval that holds the true median; dashed: the floor";

/// The picture.
pub fn draw(result: &TableResult, rows: &[&TableRow]) -> String {
    let (mut body, mut y) = (String::new(), 0.0);
    for (row, found) in measured(result, rows) {
        if row.unit != RowUnit::TimesFloor {
            continue;
        }
        let of = |name: &str| shown_values(row, found, name).ok().map(Interval::of);
        let others = found.columns.iter().filter(|column| column.name != FLOOR);
        let bars: Vec<_> = others.filter_map(|column| Some((column.name.as_str(), of(&column.name)?))).collect();
        if !bars.is_empty() {
            group(&mut body, &mut y, row.name, &bars);
        }
    }
    y += 1.5 * LINE;
    element(&mut body, format_args!("<text x=\"0\" y=\"{y:.0}\">{LEGEND}</text>"));
    let height = y + LINE;
    let style = "text{font:13px sans-serif;fill:#24292f}.head{font-weight:bold}.bar{fill:#4c8dd6}\
                 .range{stroke:#24292f}.floor{stroke:#c0392b;stroke-dasharray:4 3}";
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<style>{style}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

/// The bars of one row, and a line where the floor is.
fn group(body: &mut String, y: &mut f64, name: &str, bars: &[(&str, Interval)]) {
    let longest = bars.iter().map(|(_, interval)| interval.high).fold(1.0, f64::max);
    let x = |value: f64| LEFT + value / longest * BAR;
    *y += 1.5 * LINE;
    element(body, format_args!("<text class=\"head\" x=\"0\" y=\"{y:.0}\">{name}, x floor</text>"));
    let top = *y + 6.0;
    for (column, Interval { median, low, high, .. }) in bars {
        *y += LINE;
        let (middle, width) = (*y - 5.0, x(*median) - LEFT);
        element(body, format_args!("<text x=\"0\" y=\"{y:.0}\">{column}</text>"));
        element(
            body,
            format_args!(
                "<rect class=\"bar\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"12\"/>",
                *y - 11.0
            ),
        );
        let (from, to) = (x(*low), x(*high));
        element(body, format_args!("<path class=\"range\" d=\"M{from:.1} {middle:.1}H{to:.1}\"/>"));
        element(body, format_args!("<text x=\"{:.1}\" y=\"{y:.0}\">{}</text>", to + 8.0, digits(*median)));
    }
    let floor = x(1.0);
    element(body, format_args!("<path class=\"floor\" d=\"M{floor:.1} {top:.1}V{:.1}\"/>", *y + 2.0));
}

fn element(body: &mut String, element: std::fmt::Arguments<'_>) {
    writeln!(body, "{element}").expect("a string takes every text");
}
