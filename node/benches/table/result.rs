//! What a run of the table found, as it is written to a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::row::{RowValue, TableRow};

/// The name of the format.
pub const SCHEMA: &str = "muster.table/1";

/// All values of a run.
#[derive(Debug, Serialize, Deserialize)]
pub struct TableResult {
    /// [`SCHEMA`].
    pub schema: String,
    /// When the run began.
    pub began: String,
    /// The machine, the kernel and the versions, by name.
    pub environment: BTreeMap<String, String>,
    /// Terminals of each server.
    pub terminals: usize,
    /// Rounds.
    pub rounds: usize,
    /// The rows, in the order in which they are shown.
    pub rows: Vec<RowResult>,
}

/// A row with what was found.
#[derive(Debug, Serialize, Deserialize)]
pub struct RowResult {
    /// The row's name.
    pub name: String,
    /// In what it is measured. A ratio to the floor is written in microseconds: the floor is one of the columns.
    pub unit: String,
    /// The columns, in the order in which they are shown.
    pub columns: Vec<ColumnResult>,
}

/// What was found of one server.
#[derive(Debug, Serialize, Deserialize)]
pub struct ColumnResult {
    /// The column's name.
    pub name: String,
    /// By round; null where it is not known.
    pub values: Vec<Option<f64>>,
    /// Why the last of those is not known that are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

impl TableResult {
    /// Adds what a round found. A value belongs to the first round in which the column has none.
    pub fn add(&mut self, row: &TableRow, column: &str, value: RowValue) {
        let rows = &mut self.rows;
        let at = rows.iter().position(|found| found.name == row.name).unwrap_or_else(|| {
            rows.push(RowResult { name: row.name.into(), unit: row.unit.label().into(), columns: Vec::new() });
            rows.len() - 1
        });
        let columns = &mut rows[at].columns;
        let at = columns.iter().position(|found| found.name == column).unwrap_or_else(|| {
            columns.push(ColumnResult { name: column.into(), values: Vec::new(), unknown: None });
            columns.len() - 1
        });
        let found = &mut columns[at];
        found.values.push(value.as_ref().ok().copied());
        found.unknown = value.err().or(found.unknown.take());
    }

    /// The row with this name.
    pub fn row(&self, name: &str) -> Option<&RowResult> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// The names of all columns, in the order in which they came.
    pub fn columns(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for column in self.rows.iter().flat_map(|row| &row.columns) {
            if !names.contains(&column.name.as_str()) {
                names.push(&column.name);
            }
        }
        names
    }
}

impl RowResult {
    /// The known values of a column; or of its ratio to another column in the same round. An error says why there are none.
    pub fn values(&self, column: &str, over: Option<&str>) -> Result<Vec<f64>, String> {
        let of = self.column(column)?;
        let Some(over) = over else { return of.known(of.values.iter().copied()) };
        let base = self.column(over)?;
        let ratios = of.values.iter().zip(&base.values).map(|(value, base)| Some((*value)? / (*base)?));
        of.known(ratios).map_err(|why| base.unknown.clone().unwrap_or(why))
    }

    fn column(&self, name: &str) -> Result<&ColumnResult, String> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(|| format!("{name} was not measured"))
    }
}

impl ColumnResult {
    fn known(&self, values: impl Iterator<Item = Option<f64>>) -> Result<Vec<f64>, String> {
        let known: Vec<_> = values.flatten().filter(|value| value.is_finite()).collect();
        if known.is_empty() {
            Err(self.unknown.clone().unwrap_or_else(|| "no round measured it".into()))
        } else {
            Ok(known)
        }
    }
}
