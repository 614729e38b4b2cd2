//! What of a delivery's cost is the server's own code.

use std::{fs, time::Duration};

use async_trait::async_trait;

use crate::{
    row::{Measurement, RowGoal, RowUnit, RowValue, TableRow, known},
    stage::BenchStage,
    subjects::NODE,
};

/// The row.
pub const ROWS: &[TableRow] =
    &[TableRow { name: "user CPU per delivery", unit: RowUnit::Micros, goals: &[RowGoal::at_most(NODE, 0.15)] }];

/// The CPU of the server in all rounds together. The kernel looks at each tick of its clock, a hundredth of a second or less, whether a program
/// or the kernel runs: with less CPU too few of these looks find the program.
const CPU: Duration = Duration::from_secs(20);

/// User CPU of the server for each delivery, with one broadcast in flight.
pub struct UserCpu;

#[async_trait(?Send)]
impl Measurement for UserCpu {
    fn rows(&self) -> &'static [TableRow] {
        ROWS
    }

    async fn measure(&self, stage: &mut BenchStage<'_>) -> Vec<RowValue> {
        let (cpu, user) = (stage.server.cpu(), user_ticks(stage));
        let mut deliveries = 0;
        while stage.server.cpu() - cpu < CPU / stage.rounds as u32 {
            stage.broadcast(1).await;
            deliveries += stage.crowd.size();
        }
        let micros = 1e6 / rustix::param::clock_ticks_per_second() as f64;
        vec![known((user_ticks(stage) - user) as f64 * micros / deliveries as f64)]
    }
}

/// The user CPU of all processes of the server, in ticks: field 14 of `/proc/PID/stat` (proc(5)).
fn user_ticks(stage: &BenchStage<'_>) -> u64 {
    let of = |process: u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process lives");
        let (_, from_third) = stat.rsplit_once(')').expect("the name is in brackets");
        from_third.split_whitespace().nth(11).and_then(|ticks| ticks.parse::<u64>().ok()).expect("it is a number")
    };
    stage.server.processes().into_iter().map(of).sum()
}
