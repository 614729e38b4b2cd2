//! Settings about tokens that others than this cluster make.

use clap::Args;

/// Who else makes tokens of terminals, and what their tokens must say.
#[derive(Debug, Clone, Default, Args)]
pub struct Issuers {
    /// The `iss` that tokens may have. With this flag a token that was signed with a --public-key must have one of them, and a token
    /// signed with a --secret may have none or one of them. Several are separated by commas. Default: `iss` is not looked at
    #[arg(long, env = "MUSTER_ISSUER", value_name = "ISS", value_delimiter = ',')]
    pub issuer: Vec<String>,

    /// What a terminal's token may have as its `aud`, beside muster-terminal. With this flag a token that was signed with a --public-key
    /// must have one, so that a token that its issuer made for another system lets nobody in. Several are separated by commas
    #[arg(long, env = "MUSTER_AUDIENCE", value_name = "AUD", value_delimiter = ',')]
    pub audience: Vec<String>,
}
