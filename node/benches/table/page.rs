//! The table, as it is printed.

use crate::{
    interval::Interval,
    result::{RowResult, TableResult},
    row::{FLOOR, RowGoal, RowUnit, TableRow},
};

/// Prints all rows with medians and intervals, and then why some are not known.
pub fn print(result: &TableResult, rows: &[&TableRow]) {
    let columns = result.columns();
    println!("| | | {} |", columns.join(" | "));
    println!("|{}", "---|".repeat(columns.len() + 2));
    for (row, found) in measured(result, rows) {
        let cells: Vec<_> = columns.iter().map(|column| cell(row, found, column)).collect();
        println!("| {} | {} | {} |", row.name, row.unit.label(), cells.join(" | "));
    }
    for column in result.rows.iter().flat_map(|row| row.columns.iter().map(move |column| (row, column))) {
        let (row, column) = column;
        if let Some(why) = &column.unknown {
            println!("not known: {}, {}: {why}", row.name, column.name);
        }
    }
}

/// Prints each goal, and whether it is met. Returns whether all are that are known.
pub fn judge(result: &TableResult, rows: &[&TableRow]) -> bool {
    let mut all_met = true;
    for (row, found) in measured(result, rows) {
        for goal in row.goals {
            let name = goal.over.map_or_else(|| goal.column.to_owned(), |over| format!("{} over {over}", goal.column));
            match goal_values(found, goal) {
                Ok(values) => {
                    let interval = Interval::of(values);
                    let is_met = goal.bound.holds(interval.median);
                    all_met &= is_met;
                    let verdict = if is_met { "met" } else { "MISSED" };
                    println!("{verdict}: {}, {name}: {interval}, {}", row.name, goal.bound);
                }
                Err(why) => println!("not known: {}, {name}, {}: {why}", row.name, goal.bound),
            }
        }
    }
    all_met
}

/// The rows of which there are values, in the order of the result.
pub fn measured<'a>(result: &'a TableResult, rows: &[&'a TableRow]) -> Vec<(&'a TableRow, &'a RowResult)> {
    let of = |found: &'a RowResult| Some((*rows.iter().find(|row| row.name == found.name)?, found));
    result.rows.iter().filter_map(of).collect()
}

/// The values of a column as they are shown: ratios to the floor where the row has them.
pub fn shown_values(row: &TableRow, found: &RowResult, column: &str) -> Result<Vec<f64>, String> {
    let over = (row.unit == RowUnit::TimesFloor).then_some(FLOOR);
    found.values(column, over)
}

fn goal_values(found: &RowResult, goal: &RowGoal) -> Result<Vec<f64>, String> {
    found.values(goal.column, goal.over)
}

fn cell(row: &TableRow, found: &RowResult, column: &str) -> String {
    if !found.columns.iter().any(|known| known.name == column) {
        return String::new();
    }
    // The floor is 1 by definition: its own figure is shown.
    if row.unit == RowUnit::TimesFloor && column == FLOOR {
        let floor = found.values(FLOOR, None).map(|values| Interval::of(values).median);
        return floor.map_or_else(|_| "not known".into(), |floor| format!("{floor:.2} us"));
    }
    match shown_values(row, found, column) {
        Ok(values) => {
            let Interval { median, low, high, .. } = Interval::of(values);
            format!("{} ({} to {})", digits(median), digits(low), digits(high))
        }
        Err(_) => "not known".into(),
    }
}

/// A number with three digits that mean something.
pub fn digits(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
