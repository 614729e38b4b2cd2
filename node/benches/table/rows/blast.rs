//! How much a server delivers when it never waits for work.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::{
    row::{Measurement, RowUnit, RowValue, TableRow},
    stage::BenchStage,
};

/// The row.
pub const ROWS: &[TableRow] =
    &[TableRow { name: "deliveries at full blast, 64 in flight", unit: RowUnit::PerSecond, goals: &[] }];

/// Broadcasts in flight.
const IN_FLIGHT: usize = 64;
/// How long the blast lasts at least.
const LASTING: Duration = Duration::from_secs(2);

/// Deliveries a second.
pub struct FullBlast;

#[async_trait(?Send)]
impl Measurement for FullBlast {
    fn rows(&self) -> &'static [TableRow] {
        ROWS
    }

    async fn measure(&self, stage: &mut BenchStage<'_>) -> Vec<RowValue> {
        let mut broadcasts = 0;
        let blast = async |stage: &mut BenchStage<'_>| {
            let began = Instant::now();
            while began.elapsed() < LASTING {
                stage.broadcast(IN_FLIGHT).await;
                broadcasts += IN_FLIGHT;
            }
        };
        let took = stage.time(blast).await;
        vec![took.map(|took| (broadcasts * stage.crowd.size()) as f64 / took.as_secs_f64())]
    }
}
