//! The command line of `muster-node`: it runs a node, makes secrets, tokens and keys, lists and revokes keys, and describes the API.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use mimalloc::MiMalloc;
use muster_node::{
    config::{Config, Keys},
    http::openapi,
    operator_keys::{self, KeyCall},
    process,
    store::{self, StoreCommand},
};
use muster_protocol::{
    TerminalId,
    command_line::without_secret,
    selector::check_labels,
    token::{KeyLimits, OperatorClaims, Scope, Secret, TerminalClaims, sign},
};
use uuid::Uuid;

/// Gives back what a wave of handshakes needed: it has pages of its own for each size, so what a session keeps does not hold the pages of
/// what its handshake has freed.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Serves the WebSockets of terminals and the HTTP API of operators on one port
#[derive(Parser)]
#[command(name = "muster-node", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    make: Option<Make>,

    #[command(flatten)]
    config: Config,
}

#[derive(Subcommand)]
enum Make {
    /// Print a new secret for --secret
    Secret {
        /// The secret's name, which tokens carry as `kid`
        #[arg(long, default_value = "k1")]
        kid: String,
    },
    /// Print a token for a terminal
    Token {
        /// The terminal's id
        #[arg(long, value_name = "ID")]
        terminal: TerminalId,

        /// A label of the terminal, which the terminal can't change. Repeat the flag for more labels
        #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
        label: Vec<(String, String)>,

        /// The key of a label that the terminal may say of itself. Others that it says are under `self.`. Repeat the flag for more keys
        #[arg(long, value_name = "KEY")]
        say: Vec<String>,

        /// Let the terminal renew the token itself (POST /v1/renew), each time for this long. Default: it can't be renewed
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        renew: Option<Duration>,

        #[command(flatten)]
        signed: Signed,
    },
    /// Print an API key for an operator; or list or revoke keys
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Key {
        #[command(subcommand)]
        call: Option<KeyCall>,

        /// What the key allows: read, command or admin. Each includes the ones before it
        #[arg(long, required = true)]
        scope: Option<Scope>,

        /// The operator's name
        #[arg(long, default_value = "operator")]
        name: String,

        /// Limit the key to terminals that have this label. Repeat the flag for more labels, all of which they must have
        #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
        label: Vec<(String, String)>,

        /// Limit the key to commands with this name. Repeat the flag for more names
        #[arg(long, value_name = "NAME")]
        command: Vec<String>,

        #[command(flatten)]
        signed: Signed,
    },
    /// Print the document of the HTTP API, OpenAPI 3.1, as GET /v1/openapi.json answers it
    Openapi,
    /// Export the store of a cluster into a file, import such a file into an empty store, or raise the schema of a store
    #[command(subcommand)]
    Store(StoreCommand),
}

#[derive(Args)]
struct Signed {
    /// How long the token or key is valid
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30d")]
    ttl: Duration,

    #[command(flatten)]
    keys: Keys,
}

impl Signed {
    fn secret(&self) -> anyhow::Result<Secret> {
        let mut secrets = self.keys.clone().load_files()?.secret.into_iter();
        secrets.next().context(
            "no secret to sign with: give --secret or MUSTER_SECRET, as `muster-node secret` prints it, or --secret-file",
        )
    }

    fn exp(&self) -> u64 {
        Timestamp::now().as_second() as u64 + self.ttl.as_secs()
    }
}

fn now() -> Option<u64> {
    u64::try_from(Timestamp::now().as_second()).ok()
}

/// A token's own id, by which it can be revoked.
fn new_id() -> Option<String> {
    Some(Uuid::now_v7().to_string())
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a label is written KEY=VALUE")?;
    let label = (key.to_owned(), value.to_owned());
    check_labels(&[label.clone()].into()).map_err(|error| error.to_string())?;
    Ok(label)
}

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| without_secret(error).exit());
    let done = match cli.make {
        Some(make) => run(make),
        None => process::run(cli.config),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "muster-node: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(make: Make) -> anyhow::Result<()> {
    let text = match make {
        Make::Store(command) => return store::run(command),
        Make::Openapi => format!("{:#}", openapi::document()),
        Make::Secret { kid } => {
            let secret: String = (0..4).map(|_| format!("{:016x}", rand::random::<u64>())).collect();
            format!("{kid}={secret}").parse::<Secret>()?.reveal()
        }
        Make::Token { terminal, label, say, renew, signed } => {
            let labels = label.into_iter().collect();
            let claims = TerminalClaims {
                labels,
                say,
                iat: now(),
                jti: new_id(),
                renew: renew.map(|time| time.as_secs().max(1)),
                ..TerminalClaims::new(terminal, signed.exp())
            };
            sign(&signed.secret()?, &claims)
        }
        Make::Key { call: Some(call), .. } => operator_keys::run(call)?,
        Make::Key { call: None, scope, name, label, command, signed } => {
            let limits = KeyLimits { labels: label.into_iter().collect(), commands: command.into_iter().collect() };
            limits.check().context("--label, --command")?;
            let scope = scope.context("--scope is missing")?;
            let claims = OperatorClaims::new(&name, signed.exp(), scope).limited_to(limits);
            sign(&signed.secret()?, &OperatorClaims { iat: now(), jti: new_id(), ..claims })
        }
    };
    writeln!(io::stdout(), "{text}").context("can't write to standard output")
}
