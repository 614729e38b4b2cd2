//! Starts the server of a file, for another program that measures it.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
};

use clap::Args;
use serde::Serialize;

use super::{CardServer, bench::Bench, process::ServerProcesses};
use crate::{interrupt::Interrupt, verdict::RunOutcome};

/// Which server is started, and where.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The file that describes the server, such as loadgen/servers/ws.toml
    #[arg(long, value_name = "FILE")]
    target: PathBuf,

    /// The folder in which servers are installed and write their files
    #[arg(long, value_name = "DIR", default_value = "target/cards")]
    work: PathBuf,
}

/// What is printed once the server serves.
#[derive(Serialize)]
struct Serves {
    /// Where it listens.
    address: SocketAddr,
    /// The server's process first, and then what runs beside it.
    processes: Vec<u32>,
    /// Its version, as its own command says it.
    version: String,
}

/// Installs a server if need be, starts it, prints `muster-loadgen serves ` and a JSON object, and ends the server when a signal asks for it.
/// Fails if the file is wrong, or the server can't be installed or started.
pub async fn serve(args: ServeArgs) -> anyhow::Result<RunOutcome> {
    let server = CardServer::read(&args.target)?;
    let interrupt = Interrupt::listen(|| ())?;
    let bench = Bench::new(&args.work, 0, false, interrupt)?;
    let version = bench.install(&server).await?.version;
    let shell = bench.shell(&server)?;
    shell.empty_run_folder()?;
    let processes = ServerProcesses::start(&shell, &server).await?;
    let address = SocketAddr::from(([127, 0, 0, 1], shell.variable("PORT").parse()?));
    let serves = Serves { address, processes: processes.pids(), version };
    writeln!(io::stdout(), "muster-loadgen serves {}", serde_json::to_string(&serves)?)?;
    bench.interrupt.requested().await;
    processes.stop(&shell, &server).await;
    Ok(RunOutcome::Pass)
}
