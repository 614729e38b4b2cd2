//! What a delivery costs, with one broadcast in flight and with several.

use async_trait::async_trait;

use crate::{
    row::{FLOOR, Measurement, RowGoal, RowUnit, RowValue, TableRow, known},
    servers::delivery,
    stage::BenchStage,
    subjects::{NODE, UWEBSOCKETS},
};

/// The rows.
pub const ROWS: &[TableRow] = &[
    TableRow {
        name: "CPU per delivery, one in flight",
        unit: RowUnit::TimesFloor,
        goals: &[RowGoal::over_at_most(NODE, FLOOR, 1.08), RowGoal::over_at_most(NODE, UWEBSOCKETS, 0.95)],
    },
    TableRow {
        name: "CPU per delivery, 16 in flight",
        unit: RowUnit::TimesFloor,
        goals: &[RowGoal::over_at_most(NODE, UWEBSOCKETS, 0.95)],
    },
    TableRow {
        name: "CPU per delivery, 32 in flight",
        unit: RowUnit::TimesFloor,
        goals: &[RowGoal::over_at_most(NODE, UWEBSOCKETS, 0.95)],
    },
];

/// By row.
const IN_FLIGHT: [usize; 3] = [1, 16, 32];

/// CPU of the server for each delivery.
pub struct DeliveryCost;

#[async_trait(?Send)]
impl Measurement for DeliveryCost {
    fn rows(&self) -> &'static [TableRow] {
        ROWS
    }

    async fn measure(&self, stage: &mut BenchStage<'_>) -> Vec<RowValue> {
        let mut values = Vec::new();
        for in_flight in IN_FLIGHT {
            values.push(known(delivery::measure(&mut *stage.server, &mut stage.crowd, in_flight).await));
        }
        values
    }
}
