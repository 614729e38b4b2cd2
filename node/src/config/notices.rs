//! Where notices may be posted to.

use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;

/// Settings of notices, which `PUT /v1/notices/NAME` sets.
#[derive(Debug, Clone, Default, Args)]
pub struct NoticeFlags {
    /// Networks beside the public Internet to which notices may be posted, by http:// too. Without this flag no address of a private network,
    /// of this host or of a metadata service is connected to, so that nobody reaches by a notice what only the node reaches. The same for
    /// all nodes
    #[arg(long, env = "MUSTER_NOTICE_TO", value_name = "CIDR", value_delimiter = ',')]
    pub notice_to: Vec<IpNet>,

    /// The CA certificates (PEM) that are trusted for receivers of notices, instead of those that the system trusts
    #[arg(long, env = "MUSTER_NOTICE_CA", value_name = "FILE")]
    pub notice_ca: Option<PathBuf>,
}
