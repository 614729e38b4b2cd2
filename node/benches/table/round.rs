//! One round: each server in turn is started, measured and ended, so that a busy moment of the machine affects few of them.

use std::{any::Any, panic::AssertUnwindSafe};

use futures_util::FutureExt;
use tokio::task::yield_now;

use crate::{core_split::CoreSplit, plan::Visit, result::TableResult, stage::BenchStage};

/// Makes all visits, and adds what they found.
pub async fn play(visits: &[Visit], cores: CoreSplit, result: &mut TableResult) {
    for visit in visits {
        let mut done = 0;
        let measured = AssertUnwindSafe(measure(visit, cores, result, &mut done)).catch_unwind().await;
        // What did not go as it must is no reason to lose the rest of a long run.
        if let Err(panic) = measured {
            let why = format!("the measurement failed: {}", message(&*panic));
            for row in visit.measurements[done..].iter().flat_map(|measurement| measurement.rows()) {
                result.add(row, visit.subject.column(), Err(why.clone()));
            }
        }
        // The tasks of the terminals end, and with them their connections.
        yield_now().await;
    }
}

async fn measure(visit: &Visit, cores: CoreSplit, result: &mut TableResult, done: &mut usize) {
    let column = visit.subject.column();
    let mut stage = BenchStage::set(&*visit.subject, visit.terminals, result.rounds, cores).await;
    if let Some(version) = stage.server.version() {
        result.environment.insert(column.into(), version.into());
    }
    for measurement in &visit.measurements {
        let values = measurement.measure(&mut stage).await;
        for (row, value) in measurement.rows().iter().zip(values) {
            let shown = value.as_ref().map_or_else(|why| format!("not known: {why}"), |value| format!("{value:.3}"));
            eprintln!("{column}: {}: {shown}", row.name);
            result.add(row, column, value);
        }
        *done += 1;
    }
}

/// The words of a panic.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it did not say why")
}
