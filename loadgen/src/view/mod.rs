//! How it goes, while it goes: on a terminal a picture (`screen`), elsewhere a line a second (`lines`).

mod alternate;
mod lines;
mod screen;

use std::{io::IsTerminal, sync::Arc};

pub use self::alternate::leave;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{clock::Clock, config::Config, plan::Plan, play::Live, run::marks::Marks};

/// A view, until it is stopped.
pub struct View {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What a view looks at.
pub struct Scene {
    /// What the run is called.
    pub title: String,
    /// The plan.
    pub plan: Arc<Plan>,
    /// The time.
    pub clock: Clock,
    /// The counters.
    pub live: Arc<Live>,
    /// What was done to the servers.
    pub marks: Marks,
}

/// Shows it.
pub fn show(config: &Config, plan: &Arc<Plan>, clock: Clock, live: Arc<Live>, marks: Marks) -> View {
    let scene = Scene { title: config.title.clone(), plan: plan.clone(), clock, live, marks };
    let (stop, stopped) = oneshot::channel();
    let task = match std::io::stderr().is_terminal() && !config.no_tui {
        true => tokio::spawn(screen::show(scene, stopped)),
        false => tokio::spawn(lines::show(scene, stopped)),
    };
    View { stop, task }
}

impl View {
    /// Ends it; the terminal is as it was.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}
