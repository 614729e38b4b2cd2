//! When the last terminal has a broadcast.

use async_trait::async_trait;

use crate::{
    row::{FLOOR, Measurement, RowGoal, RowUnit, RowValue, TableRow, known},
    stage::BenchStage,
    subjects::NODE,
};

/// The rows.
pub const ROWS: &[TableRow] = &[
    TableRow {
        name: "the last terminal receives, p50 of 100 broadcasts",
        unit: RowUnit::TimesFloor,
        goals: &[RowGoal::over_at_most(NODE, FLOOR, 1.05)],
    },
    TableRow {
        name: "the last terminal receives, p95 of 100 broadcasts",
        unit: RowUnit::TimesFloor,
        goals: &[RowGoal::over_at_most(NODE, FLOOR, 1.25)],
    },
];

/// The broadcasts of one round.
const BROADCASTS: usize = 100;

/// The time from the request to the last delivery, one broadcast at a time.
pub struct LastReceives;

#[async_trait(?Send)]
impl Measurement for LastReceives {
    fn rows(&self) -> &'static [TableRow] {
        ROWS
    }

    async fn measure(&self, stage: &mut BenchStage<'_>) -> Vec<RowValue> {
        stage.broadcast(1).await;
        let mut times = Vec::new();
        let timed = async |stage: &mut BenchStage<'_>| {
            for _ in 0..BROADCASTS {
                let began = std::time::Instant::now();
                stage.broadcast(1).await;
                times.push(began.elapsed().as_secs_f64() * 1e6);
            }
        };
        if let Err(why) = stage.time(timed).await {
            return vec![Err(why.clone()), Err(why)];
        }
        times.sort_by(f64::total_cmp);
        vec![known(times[BROADCASTS / 2]), known(times[BROADCASTS * 95 / 100])]
    }
}
