//! What the table is made of: rows, and the measurements that fill them.

use async_trait::async_trait;

use crate::stage::BenchStage;

/// The column of the server that does nothing else.
pub const FLOOR: &str = "floor";

/// What a measurement found in one round; or why it is not known.
pub type RowValue = Result<f64, String>;

/// A value that is known, if the times are.
pub fn known(value: f64) -> RowValue {
    if value.is_finite() { Ok(value) } else { Err("nothing was measured".into()) }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct TableRow {
    /// Its name.
    pub name: &'static str,
    /// In what it is measured.
    pub unit: RowUnit,
    /// What it is to be.
    pub goals: &'static [RowGoal],
}

/// In what a row is measured, and how it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowUnit {
    /// Microseconds, shown as a ratio to the floor's in the same round.
    TimesFloor,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
    /// KiB.
    Kib,
    /// How many a second.
    PerSecond,
    /// A ratio of two values of the same server.
    Ratio,
}

impl RowUnit {
    /// The word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::TimesFloor => "x floor",
            Self::Micros => "us",
            Self::Millis => "ms",
            Self::Kib => "KiB",
            Self::PerSecond => "a second",
            Self::Ratio => "x",
        }
    }

    /// Whether more is better.
    pub fn more_is_better(self) -> bool {
        self == Self::PerSecond
    }
}

/// What a column of a row is to be.
#[derive(Debug, Clone, Copy)]
pub struct RowGoal {
    /// The column.
    pub column: &'static str,
    /// The column whose value of the same round divides it, if one does.
    pub over: Option<&'static str>,
    /// The bound.
    pub bound: GoalBound,
}

/// A bound on a median.
#[derive(Debug, Clone, Copy)]
pub enum GoalBound {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
}

impl RowGoal {
    /// A column's value is to be at most this.
    pub const fn at_most(column: &'static str, most: f64) -> Self {
        Self { column, over: None, bound: GoalBound::AtMost(most) }
    }

    /// The same of its ratio to another column's.
    pub const fn over_at_most(column: &'static str, over: &'static str, most: f64) -> Self {
        Self { column, over: Some(over), bound: GoalBound::AtMost(most) }
    }

    /// A column's ratio to another column's is to be at least this.
    pub const fn over_at_least(column: &'static str, over: &'static str, least: f64) -> Self {
        Self { column, over: Some(over), bound: GoalBound::AtLeast(least) }
    }
}

impl GoalBound {
    /// Whether a value keeps to it.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

impl std::fmt::Display for GoalBound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "at most {most}"),
            Self::AtLeast(least) => write!(f, "at least {least}"),
        }
    }
}

/// Fills rows: it measures, and says unit and goals.
#[async_trait(?Send)]
pub trait Measurement {
    /// The rows that it fills.
    fn rows(&self) -> &'static [TableRow];

    /// Measures the server of the stage. Returns a value for each of its rows, in their order.
    async fn measure(&self, stage: &mut BenchStage<'_>) -> Vec<RowValue>;
}
