//! The progress of a run while it goes on: charts on a terminal (`screen`), one line per second elsewhere (`lines`).

mod alternate;
mod frame;
mod lines;
mod screen;

use std::{io::IsTerminal, sync::Arc};

pub use self::alternate::leave;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{clock::Clock, config::Config, marks::Marks, plan::Plan, play::LiveCounters};

/// A running view. It ends with [`View::stop`].
pub struct View {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What a view shows.
pub struct ViewData {
    /// The title of the run; may be empty.
    pub title: String,
    /// The plan, for the phases and the length of the run.
    pub plan: Arc<Plan>,
    /// The clock of the run.
    pub clock: Clock,
    /// The live counters of the generator.
    pub live: Arc<LiveCounters>,
    /// The marks that were set during the run.
    pub marks: Marks,
}

/// Starts a view on stderr: charts if stderr is a terminal and `--no-tui` is not set, else lines.
pub fn show(config: &Config, plan: &Arc<Plan>, clock: Clock, live: Arc<LiveCounters>, marks: Marks) -> View {
    let scene = ViewData { title: config.title.clone(), plan: plan.clone(), clock, live, marks };
    let (stop, stopped) = oneshot::channel();
    let task = match std::io::stderr().is_terminal() && !config.no_tui {
        true => tokio::spawn(screen::show(scene, stopped)),
        false => tokio::spawn(lines::show(scene, stopped)),
    };
    View { stop, task }
}

impl View {
    /// Stops the view and waits until it has restored the terminal.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}
