//! Shows the fleet, the nodes and the running commands, again and again until someone ends it.
//!
//! ```text
//!   snapshot ──▶ view ──▶ screen ◀── requests: q, Ctrl-C, Ctrl-Z, another size
//! ```

mod requests;
mod screen;
mod snapshot;
mod view;

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use anyhow::ensure;
use tokio::time::sleep;

use self::{
    requests::{ScreenRequest, ScreenRequests},
    screen::TopScreen,
    snapshot::ClusterSnapshot,
    view::lines,
};
use crate::{
    api::ClusterApi,
    exit::Exit,
    text::{Printer, one_line, span},
};

/// The shortest time between two snapshots.
const EVERY_MIN: Duration = Duration::from_millis(500);

/// Shows the cluster on the screen. Without a screen, or as JSON, shows it once.
pub async fn run(api: &ClusterApi, out: &Printer, every: Duration) -> anyhow::Result<Exit> {
    ensure!(every >= EVERY_MIN, "--every {every:?}: {EVERY_MIN:?} is the least");
    let snapshot = ClusterSnapshot::take(api).await?;
    if out.is_json() {
        out.either(&snapshot.json, String::new)?;
    } else if io::stdout().is_terminal() {
        on_screen(api, snapshot, every).await?;
    } else {
        out.print(&lines(&snapshot, "", usize::MAX).join("\n"))?;
    }
    Ok(Exit::Done)
}

async fn on_screen(api: &ClusterApi, mut snapshot: ClusterSnapshot, every: Duration) -> anyhow::Result<()> {
    let mut requests = ScreenRequests::listen()?;
    let mut screen = TopScreen::enter()?;
    let hint = format!("every {every:?}; q ends it");
    let (mut status, mut taken) = (hint.clone(), Instant::now());
    loop {
        let next = async {
            sleep(every).await;
            ClusterSnapshot::take(api).await
        };
        let mut next = std::pin::pin!(next);
        let found = loop {
            screen.show(|rows| lines(&snapshot, &status, rows))?;
            let request = tokio::select! {
                found = &mut next => break found,
                request = requests.next() => request,
            };
            match request {
                ScreenRequest::End => return Ok(()),
                ScreenRequest::Suspend => screen.suspend()?,
                ScreenRequest::Redraw => {}
            }
        };
        match found {
            Ok(found) => (snapshot, status, taken) = (found, hint.clone(), Instant::now()),
            Err(error) if error.is_passing() => {
                let age = span(taken.elapsed().as_secs().cast_signed());
                status = one_line(&format!("as it was {age} ago: {error}"));
            }
            Err(error) => return Err(error.into()),
        }
    }
}
