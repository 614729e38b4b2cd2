//! What is measured besides deliveries: the costs of the servers, and the floor of this machine.

use clap::Args;
use hyper::Uri;

use super::Watched;

/// What is measured besides deliveries. Nothing by default.
#[derive(Debug, Clone, Default, Args)]
pub struct CostSettings {
    /// The URLs of the nodes' metrics, which are read before and after the run
    #[arg(long, value_name = "HTTP_URL", value_delimiter = ',')]
    pub metrics: Vec<Uri>,

    /// The processes whose CPU and memory are measured, child processes included: node1=4711,nginx=4712
    #[arg(long, value_name = "NAME=PID", value_delimiter = ',')]
    pub watch: Vec<Watched>,

    /// The Redis server whose INFO is read before and after the run, without TLS
    #[arg(long, value_name = "HOST:PORT")]
    pub redis: Option<String>,

    /// Before the run, measure this machine and this program alone, against a server that does nothing but deliver
    #[arg(long)]
    pub floor: bool,
}
