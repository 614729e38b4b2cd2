//! `muster-node store`: writes the store of a cluster into a file, and such a file into an empty store. It is backup and restore, and the way to
//! another number of partitions. It also raises the schema of a store.
//!
//! ```text
//!   store ── export ──▶ file: header · terminals · commands with their targets · idempotency keys · revocations, codes, operators' keys, selectors, notices · trailer ── import ──▶ empty store
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `access.rs` | flags, and the partitions that they lead to |
//! | `lines.rs`, `base64.rs` | the lines of a file |
//! | `raise_schema.rs` | raises the schema of a store |
//! | `writer.rs`, `reader.rs`, `partial_file.rs` | a file that is written and read line by line, and checked; its name until it is whole |
//! | `export.rs`, `gather.rs`, `order.rs` | reads the store; the parts of a command; the order of commands over all partitions |
//! | `reads.rs` | reads that are made again while a partition does not answer |
//! | `unplaced.rs` | what belongs to no terminal: revocations, codes for first tokens, operators' keys, saved selectors, notices |
//! | `import.rs`, `begin.rs`, `placed.rs`, `pending.rs` | writes the store: its beginning; where each ordinal has gone; a command that is put together |

mod access;
mod base64;
mod begin;
mod export;
mod gather;
mod import;
mod lines;
mod order;
mod partial_file;
mod pending;
mod placed;
mod raise_schema;
mod reader;
mod reads;
mod unplaced;
mod writer;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Subcommand;
use muster_protocol::{partition::Partitions, schema::SCHEMA};
use muster_service::output::note;

pub use self::{
    access::StoreFlags,
    export::export,
    import::import,
    lines::BackupCounts,
    raise_schema::{RaisedSchema, raise_schema},
};
use crate::config;

/// What is done with a store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Write the store of a cluster into a file: terminals with their labels, commands with the states of their targets, idempotency keys,
    /// revocations, codes for first tokens, the list of operators' keys, saved selectors and notices; not the audit. Nodes may go on meanwhile: nothing that was accepted before the export began is missing
    Export {
        #[command(flatten)]
        /// Where the store is.
        store: StoreFlags,

        /// The file to write, which must not exist yet. Only its owner can read it. Until it is whole it is called FILE.part.
        /// Default: standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Write a file of an export into an empty store. All nodes must be stopped; start them when it is done. An import that was ended
    /// can be begun again with the same file
    Import {
        #[command(flatten)]
        /// Where the store is.
        store: StoreFlags,

        /// The number of partitions of the new store, 1 to 1024. Default: that of the store that was exported
        #[arg(long, env = "MUSTER_PARTITIONS", value_name = "N", value_parser = config::partitions)]
        partitions: Option<Partitions>,

        /// The file that an export has written
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Raise the schema of the store to the newest that this version runs on, once all nodes and sidecars have this version. Nodes of
    /// an older version can't use the store any more
    RaiseSchema {
        #[command(flatten)]
        /// Where the store is.
        store: StoreFlags,
    },
}

/// Does what the command line asks for, and says what was done.
///
/// # Errors
/// Says what is wrong, and what to do.
#[tokio::main(flavor = "current_thread")]
pub async fn run(command: StoreCommand) -> anyhow::Result<()> {
    let (done, counts) = match command {
        StoreCommand::Export { store, out } => ("exported", export(store, out).await?),
        StoreCommand::RaiseSchema { store } => {
            let RaisedSchema { from, to } = raise_schema(store, SCHEMA).await?;
            let text = if from == to {
                format!("the store has schema {to} already, the newest of this version")
            } else {
                format!("the store had schema {from} and has schema {to} now")
            };
            writeln!(io::stdout(), "{text}")?;
            return Ok(());
        }
        StoreCommand::Import { store, partitions, file } => ("imported", import(store, partitions, file).await?),
    };
    // On standard error, since an export may go to standard output.
    note(format_args!("muster-node: {done} {counts}"));
    Ok(())
}
