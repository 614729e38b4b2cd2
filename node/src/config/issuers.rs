//! Settings about tokens that others than this cluster make.

use std::path::PathBuf;

use clap::Args;

/// Who else makes tokens of terminals, and what their tokens must say.
#[derive(Debug, Clone, Default, Args)]
pub struct Issuers {
    /// The public keys of another issuer of terminal tokens as a JWK set (EdDSA, ES256, RS256): a file, or the URL where the issuer
    /// publishes it. It is read when the node starts, every 5 minutes (a file every 5 s), and when a token names a key that is not there;
    /// if that fails, the last good set stays
    #[arg(long, env = "MUSTER_JWKS", value_name = "URL|FILE")]
    pub jwks: Option<String>,

    /// The CA certificates (PEM) that are trusted for --jwks, instead of those that the system trusts
    #[arg(long, env = "MUSTER_JWKS_CA", value_name = "FILE")]
    pub jwks_ca: Option<PathBuf>,

    /// Read --jwks by http:// from another host too. Whoever is on the way can then let any terminal in
    #[arg(long, env = "MUSTER_JWKS_HTTP")]
    pub jwks_http: bool,

    /// The `iss` that tokens may have. With this flag a token of another issuer (--public-key, --jwks) must have one of them, and a token
    /// signed with a --secret may have none or one of them. Several are separated by commas. Default: `iss` is not looked at
    #[arg(long, env = "MUSTER_ISSUER", value_name = "ISS", value_delimiter = ',')]
    pub issuer: Vec<String>,

    /// What a terminal's token may have as its `aud`, beside muster-terminal. With this flag a token of another issuer (--public-key,
    /// --jwks) must have one, so that a token that its issuer made for another system lets nobody in. Several are separated by commas
    #[arg(long, env = "MUSTER_AUDIENCE", value_name = "AUD", value_delimiter = ',')]
    pub audience: Vec<String>,
}
