//! The command `muster-sidecar render`: prints the configuration that would be served, and changes nothing.

use std::io::{self, Write};

use anyhow::Context;
use similar::TextDiff;
use tokio::time;

use crate::{
    capacity::counts_connections,
    config::Config,
    generations::Generations,
    ports::Ports,
    resolve::by_dns,
    sources::NodeSource,
    template::{GenerationFiles, render},
};

/// Prints the files for the nodes that there are, or with `diff` their differences to the files that are served.
/// Prints again at each change unless `once`. An error if they can't be read or standard output can't be written.
pub async fn run(mut config: Config, once: bool, diff: bool) -> anyhow::Result<()> {
    config.counts_connections = counts_connections(&config).await;
    let generations = Generations::new(&config.dir)?;
    let ports = Ports::choose(&config.dir, config.listen[0], by_dns(&config).await?)?;
    let mut source = NodeSource::new(&config)?;
    let mut before = None;
    loop {
        let leased = source.read().await?.leased;
        let generation = generations.current().unwrap_or_default();
        if before.as_ref() != Some(&leased) {
            let files = render(&config, ports, generation, &leased)?;
            print(&files, diff.then_some((&generations, generation))).context("can't write to standard output")?;
        }
        if once {
            return Ok(());
        }
        before = Some(leased);
        time::sleep(config.poll).await;
    }
}

fn print(files: &GenerationFiles, against: Option<(&Generations, u64)>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (name, text) in files {
        match against {
            None => write!(out, "# {name}\n{text}")?,
            Some((generations, generation)) => {
                let served = std::fs::read_to_string(generations.path(generation).join(name)).unwrap_or_default();
                let diff = TextDiff::from_lines(&served, text);
                write!(out, "{}", diff.unified_diff().context_radius(1).header(&format!("served/{name}"), name))?;
            }
        }
    }
    out.flush()
}
