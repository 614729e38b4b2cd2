//! A run beside an earlier one: what became worse, what better, and what can't be told from noise.

use crate::{
    difference::{Difference, difference},
    interval::Interval,
    page::{digits, measured, shown_values},
    result::TableResult,
    row::{RowUnit, TableRow},
};

/// Facts of the environment in which runs must agree for their times to be compared.
const MACHINE: [&str; 3] = ["cpu", "cores", "kernel"];

/// Prints each row of which both runs have values. Returns whether none is worse. On another machine only ratios are compared.
pub fn compare(now: &TableResult, before: &TableResult, rows: &[&TableRow]) -> bool {
    let differs = MACHINE.iter().find(|fact| now.environment.get(**fact) != before.environment.get(**fact));
    if let Some(fact) = differs {
        println!("the baseline is of another machine ({fact} differs): only ratios are compared");
    }
    let mut none_worse = true;
    for (row, found) in measured(now, rows) {
        let is_ratio = matches!(row.unit, RowUnit::TimesFloor | RowUnit::Ratio);
        let Some(earlier) = before.row(row.name).filter(|_| is_ratio || differs.is_none()) else { continue };
        for column in &found.columns {
            let name = column.name.as_str();
            let values = (shown_values(row, earlier, name), shown_values(row, found, name));
            let (Ok(earlier), Ok(values)) = values else { continue };
            let (old, new) = (Interval::of(earlier), Interval::of(values));
            let difference = difference(&old, &new, row.unit.more_is_better());
            none_worse &= difference != Difference::Worse;
            if difference != Difference::None {
                let word = if difference == Difference::Worse { "WORSE" } else { "better" };
                println!("{word}: {}, {name}: {} -> {}", row.name, shown(&old), shown(&new));
            }
        }
    }
    if none_worse {
        println!("nothing is worse than the baseline of {}", before.began);
    }
    none_worse
}

fn shown(interval: &Interval) -> String {
    format!("{} ({} to {})", digits(interval.median), digits(interval.low), digits(interval.high))
}
