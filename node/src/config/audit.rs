//! What the audit has, and how much of it is stored.

use clap::Args;

/// Settings of the audit, which `GET /v1/audit` shows.
#[derive(Debug, Clone, Args)]
pub struct AuditFlags {
    /// The bytes that the audit may have, from 1 MiB; beyond it the oldest records make room. Calls without a valid key have a sixteenth
    /// of it for themselves. The same for all nodes
    #[arg(long, env = "MUSTER_AUDIT_BYTES", value_name = "BYTES", default_value_t = 64 << 20, value_parser = clap::value_parser!(u64).range(1 << 20..))]
    pub audit_bytes: u64,

    /// Record the bodies of calls, and with them the payloads of commands, up to 4 KiB each. By default the audit has their SHA-256 alone
    #[arg(long, env = "MUSTER_AUDIT_PAYLOADS")]
    pub audit_payloads: bool,
}
