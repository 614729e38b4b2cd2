//! What a handshake costs, and how many there are in a second.

use async_trait::async_trait;

use crate::{
    row::{FLOOR, Measurement, RowGoal, RowUnit, RowValue, TableRow, known},
    servers::knock::{self, knock_at},
    stage::BenchStage,
    subjects::{BARE, CHAIN, NODE, UWEBSOCKETS},
};

/// The row without tokens.
pub const ROWS: &[TableRow] = &[TableRow {
    name: "CPU per handshake",
    unit: RowUnit::TimesFloor,
    goals: &[RowGoal::over_at_most(NODE, FLOOR, 1.4), RowGoal::over_at_most(NODE, UWEBSOCKETS, 1.15)],
}];

/// The row with tokens.
pub const TOKEN_ROWS: &[TableRow] = &[TableRow {
    name: "CPU per handshake, HS256",
    unit: RowUnit::TimesFloor,
    goals: &[RowGoal::over_at_most(NODE, FLOOR, 2.0)],
}];

/// The row of how many there are.
pub const RATE_ROWS: &[TableRow] = &[TableRow {
    name: "handshakes, 64 at once",
    unit: RowUnit::PerSecond,
    goals: &[RowGoal::over_at_least(CHAIN, BARE, 0.7)],
}];

/// Handshakes of one measurement.
const HANDSHAKES: usize = 4_000;
/// Handshakes under way at once, where they are counted by time.
const AT_ONCE: usize = 64;

/// CPU of the server for each handshake and the end of its session.
pub struct HandshakeCost {
    /// Whether terminals show tokens.
    pub with_token: bool,
}

#[async_trait(?Send)]
impl Measurement for HandshakeCost {
    fn rows(&self) -> &'static [TableRow] {
        if self.with_token { TOKEN_ROWS } else { ROWS }
    }

    async fn measure(&self, stage: &mut BenchStage<'_>) -> Vec<RowValue> {
        let requests = if self.with_token { knock::requests() } else { requests(stage) };
        // A round that is not counted: each terminal is new in the first.
        knock::measure(&*stage.server, &requests).await;
        vec![known(knock::measure(&*stage.server, &requests).await)]
    }
}

/// Handshakes a second.
pub struct HandshakeRate;

#[async_trait(?Send)]
impl Measurement for HandshakeRate {
    fn rows(&self) -> &'static [TableRow] {
        RATE_ROWS
    }

    async fn measure(&self, stage: &mut BenchStage<'_>) -> Vec<RowValue> {
        let requests = requests(stage);
        let knock = async |stage: &mut BenchStage<'_>| knock_at(stage.server.address(), &requests, AT_ONCE).await;
        let took = stage.time(knock).await;
        vec![took.map(|took| requests.len() as f64 / took.as_secs_f64())]
    }
}

/// The requests of terminals that are not connected.
fn requests(stage: &BenchStage<'_>) -> Vec<String> {
    let first = stage.crowd.size();
    (first..first + HANDSHAKES).map(stage.dialect().request).collect()
}
