//! The two ends of Muster's WebSockets as Autobahn's cases want them: each sends back what it receives. What reads and writes the frames is
//! the node itself, or the client itself.
//!
//! ```text
//! conformance node --insecure --listen 127.0.0.1:9001     a node, with the flags of muster-node; terminals in plain mode are sent what they say
//! conformance terminal ws://127.0.0.1:9002                a terminal that runs every case of a server that has them, such as kosoku
//! ```

mod terminal;

use clap::Parser;
use muster_client::TlsSource;
use muster_net::TlsArgs;
use muster_node::{config::Config, process};

/// Sends back what it receives, so that Autobahn's cases can be run
#[derive(Parser)]
#[command(name = "conformance")]
enum Cli {
    /// Run a node
    Node {
        #[command(flatten)]
        config: Box<Config>,
    },
    /// Run a terminal, which goes through all cases of a server
    Terminal {
        /// The server, as ws://HOST:PORT or wss://HOST:PORT
        url: String,
        #[command(flatten)]
        tls: TlsArgs,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse() {
        Cli::Node { mut config } => {
            config.plain_mode.echo = true;
            process::run(*config)
        }
        Cli::Terminal { url, tls } => terminal::run(&url, &TlsSource::files(tls.files())),
    }
}
