//! `muster`: the operator's command line. It asks a node by the HTTP API, through a proxy or not.
//!
//! ```text
//!   cli ──▶ profile ──▶ api ──▶ node        terminals, nodes, audit, keys, events: what is shown
//!                        │                  send ──▶ follow ──▶ exit code
//!                        └──▶ text: tables, progress, JSON
//! ```
//!
//! | Module | What it does |
//! |---|---|
//! | [`cli`] | the commands and their flags |
//! | [`profile`] | which cluster is asked, and with which key |
//! | [`api`] | calls, pages and streams of the API |
//! | [`completion`] | completes words in a shell |
//! | [`terminals`], [`nodes`], [`audit`], [`keys`], [`tokens`], [`enrol`], [`events`] | show and change what there is |
//! | [`list`] | prints a list |
//! | [`send`] | sends a command |
//! | [`follow`] | waits for what becomes of a command |
//! | [`commands`] | shows, retries and cancels commands |
//! | [`notices`] | sets, shows, tries and removes notices |
//! | [`rollout`] | makes, shows, follows and changes rollouts |
//! | [`top`] | the fleet, the nodes and the running commands, live |
//! | [`selectors`] | lists, saves and removes saved selectors |
//! | [`quickstart`] | a node with three terminals, for trials |
//! | [`text`] | tables, progress, printable text, and what the API has in words |
//! | [`exit`] | the exit codes |

mod api;
mod audit;
mod cli;
mod commands;
mod completion;
mod enrol;
mod events;
mod exit;
mod follow;
mod keys;
mod list;
mod nodes;
mod notices;
mod profile;
mod quickstart;
mod rollout;
mod selectors;
mod send;
mod terminals;
mod text;
mod tokens;
mod top;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser};

use crate::{
    api::ClusterApi,
    cli::{Cli, Verb},
    exit::Exit,
    text::Printer,
};

fn main() -> ExitCode {
    completion::answer_shell(Cli::command);
    call()
}

#[tokio::main(flavor = "current_thread")]
async fn call() -> ExitCode {
    // Clap ends with 2 for wrong flags; here 2 means that terminals failed.
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        let _ = error.print();
        std::process::exit(if error.use_stderr() { Exit::NotSent.code() } else { Exit::Done.code() }.into())
    });
    match run(cli).await {
        Ok(exit) => exit.into(),
        // The reader of the output, such as `head`, has enough of it.
        Err(error) if is_broken_pipe(&error) => Exit::Done.into(),
        Err(error) => {
            let _ = writeln!(io::stderr(), "muster: {}", text::printable(&format!("{error:#}")));
            Exit::NotSent.into()
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.verb {
        Verb::Completions { shell } => {
            io::stdout().write_all(&completion::script(shell)?)?;
            return Ok(Exit::Done);
        }
        Verb::Quickstart(quickstart) => return quickstart::run(quickstart).await,
        _ => {}
    }
    let api = ClusterApi::of(&cli.cluster.resolve()?)?;
    let out = Printer::new(cli.json);
    match cli.verb {
        Verb::Ls(list) => terminals::list(&api, &out, list).await,
        Verb::Show { terminal } => terminals::show(&api, &out, &terminal).await,
        Verb::Label { terminal, labels } => terminals::label(&api, &out, &terminal, labels).await,
        Verb::Kick { terminal } => terminals::kick(&api, &out, &terminal).await,
        Verb::Forget { terminal } => terminals::forget(&api, &out, &terminal).await,
        Verb::Fleet => terminals::fleet(&api, &out).await,
        Verb::Send(send) => send::send(&api, &out, send).await,
        Verb::Watch { command, wait } => follow::watch(&api, &out, command, wait).await,
        Verb::Commands(list) => commands::list(&api, &out, list).await,
        Verb::Command { command, state, limit } => commands::show(&api, &out, command, state, limit).await,
        Verb::Retry { command, wait } => commands::retry(&api, &out, command, wait).await,
        Verb::Cancel { command } => commands::cancel(&api, &out, command).await,
        Verb::Rollout(verb) => rollout::run(&api, &out, verb).await,
        Verb::Nodes => nodes::list(&api, &out).await,
        Verb::Top { every } => top::run(&api, &out, every).await,
        Verb::Drain { node } => nodes::drain(&api, &out, &node).await,
        Verb::Rebalance { rate } => nodes::rebalance(&api, &out, rate).await,
        Verb::Events(filter) => events::follow(&api, &out, filter).await,
        Verb::Audit(list) => audit::list(&api, &out, list).await,
        Verb::Keys(call) => keys::run(&api, &out, call).await,
        Verb::Tokens(call) => tokens::run(&api, &out, call).await,
        Verb::Enrol(call) => enrol::run(&api, &out, call).await,
        Verb::Selector(call) => selectors::run(&api, &out, call).await,
        Verb::Notices(call) => notices::run(&api, &out, call).await,
        Verb::Completions { .. } | Verb::Quickstart(_) => unreachable!("they need no node"),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
