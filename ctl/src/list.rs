//! Prints a list of the API: as a table, or with `--json` a line for each row.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{
    api::{ClusterApi, ListQuery},
    cli::RowLimit,
    exit::Exit,
    text::{Printer, TextTable},
};

/// How the rows of a list are found and shown.
pub struct ShownList<R, const COLUMNS: usize> {
    /// The name of the list in the answer.
    pub field: &'static str,
    /// The parameter that takes the `next` of the page before.
    pub cursor: &'static str,
    /// The head of the table.
    pub head: [&'static str; COLUMNS],
    /// The cells of a row.
    pub cells: fn(&R) -> [String; COLUMNS],
}

impl<R: DeserializeOwned, const COLUMNS: usize> ShownList<R, COLUMNS> {
    /// Prints the rows, and says on standard error what was left out.
    ///
    /// # Errors
    /// If a page is not answered, or standard output can't be written to.
    pub async fn print(
        &self,
        api: &ClusterApi,
        out: &Printer,
        query: ListQuery,
        limit: RowLimit,
    ) -> anyhow::Result<Exit> {
        let mut table = TextTable::new(&self.head);
        let mut show = |row: &RawValue| {
            if out.is_json() {
                return out.either(row.get(), String::new);
            }
            table.row((self.cells)(&serde_json::from_str(row.get())?));
            Ok(())
        };
        let left = api.rows(query, (self.field, self.cursor), limit.limit, &mut show).await?;
        if !out.is_json() {
            out.print(&table.lines())?;
        }
        left.tell(limit.limit);
        Ok(Exit::Done)
    }
}
