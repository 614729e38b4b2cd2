//! What the program does with each command.

use anyhow::Context;
use muster_client::{Incoming, Listener, SendError, Terminal};
use muster_protocol::{
    CommandId, Payload,
    frame::{Ack, Command, Condition, Event, FromTerminal, Health, NotRun, Progress, ResultFrame},
};
use rustix::process::{Signal, getpid, kill_process};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::{
    breaks::BrokenRule,
    lines::{line_of, print, too_large},
};

/// What hears the client's reports: it prints them, and passes the commands on.
pub struct KitProgram {
    /// Where the commands go, and the end.
    pub tell: mpsc::UnboundedSender<Task>,
    /// The rule that it breaks.
    pub broken: Option<BrokenRule>,
}

/// What there is to do.
pub enum Task {
    /// A command is to be run.
    Run(Command),
    /// A command that has to be acknowledged: the client does not, since it breaks R8.
    Acknowledge(CommandId),
    /// The client is gone.
    End,
}

impl Listener for KitProgram {
    async fn on(&self, report: Incoming) {
        if let Some(line) = line_of(&report)
            && !self.broken.is_some_and(|broken| broken.hides(&report))
        {
            print(&line);
        }
        if let Some(line) = self.broken.and_then(|broken| broken.line_of(&report)) {
            print(&line);
        }
        match report {
            // Until this returns, the client answers no ping.
            Incoming::Online { .. } if self.broken == Some(BrokenRule::R18) => std::future::pending().await,
            Incoming::Command { command, .. } => {
                if self.broken == Some(BrokenRule::R8) {
                    let _ = self.tell.send(Task::Acknowledge(command.id));
                }
                // The client has not acknowledged it yet.
                if command.name == "die" && self.broken != Some(BrokenRule::R8) {
                    let _ = kill_process(getpid(), Signal::KILL);
                }
                let _ = self.tell.send(Task::Run(command));
            }
            Incoming::Repeated(id) if self.broken == Some(BrokenRule::R8) => {
                let _ = self.tell.send(Task::Acknowledge(id));
            }
            Incoming::Gone(_) => {
                let _ = self.tell.send(Task::End);
            }
            _ => {}
        }
    }
}

/// Runs the commands in their order, until the client is gone or is to leave.
pub async fn work(
    terminal: Terminal,
    mut tasks: mpsc::UnboundedReceiver<Task>,
    broken: Option<BrokenRule>,
) -> anyhow::Result<()> {
    while let Some(task) = tasks.recv().await {
        match task {
            Task::End => return Ok(()),
            Task::Acknowledge(id) => {
                let _ = terminal.send(FromTerminal::Ack(Ack { id })).await;
            }
            Task::Run(command) if command.name == "leave" => {
                terminal.result(command.id, true, Payload::default()).await?;
                // A client that is killed sends no close.
                if broken == Some(BrokenRule::R37) {
                    terminal.kill().await
                } else {
                    terminal.close().await
                }
                return Ok(());
            }
            Task::Run(command) if command.name == "die" => {
                // Only if it breaks R8: the ack is out by then.
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                let _ = kill_process(getpid(), Signal::KILL);
            }
            Task::Run(command) => run(&terminal, command, broken).await?,
        }
    }
    Ok(())
}

async fn run(terminal: &Terminal, command: Command, broken: Option<BrokenRule>) -> anyhow::Result<()> {
    let Command { id, name, payload, .. } = command;
    let sent = match name.as_str() {
        "echo" if broken == Some(BrokenRule::R32) => {
            terminal.result(id, true, Payload::from_text(payload.as_json())).await
        }
        "echo" => terminal.result(id, true, payload).await,
        "fail" => terminal.result(id, false, payload).await,
        "quiet" => Ok(()),
        "progress" => {
            terminal.send(FromTerminal::Progress(Progress { id, payload })).await?;
            terminal.result(id, true, Payload::default()).await
        }
        "health" => {
            let metrics = serde_json::from_str(payload.as_json()).context("the payload of health")?;
            let health = Health { condition: Condition::Degraded, metrics };
            terminal.send(FromTerminal::Health(health)).await?;
            terminal.result(id, true, Payload::default()).await
        }
        "event" => event(terminal, id, &payload).await?,
        "large" => {
            let length: usize = payload.as_json().parse().context("the payload of large")?;
            terminal.result(id, true, Payload::from_text(&"x".repeat(length))).await
        }
        _ => {
            let result = ResultFrame { id, ok: false, reason: Some(NotRun::Rejected), payload: Payload::default() };
            terminal.send(FromTerminal::Result(result)).await
        }
    };
    if let Err(error) = sent {
        told(&error)?;
    }
    Ok(())
}

/// The payload of the command `event`.
#[derive(Deserialize)]
struct WantedEvent {
    id: Option<String>,
    name: String,
    payload: serde_json::Value,
}

async fn event(terminal: &Terminal, id: CommandId, payload: &Payload) -> anyhow::Result<Result<(), SendError>> {
    let wanted: WantedEvent = serde_json::from_str(payload.as_json()).context("the payload of event")?;
    let event = Event { id: wanted.id, name: wanted.name, payload: Payload::from_value(&wanted.payload) };
    let sent = terminal.send(FromTerminal::Event(event)).await;
    if let Err(error) = &sent {
        told(error)?;
    }
    Ok(terminal.result(id, sent.is_ok(), Payload::default()).await)
}

/// Prints that something is too large. Anything else is an error.
fn told(error: &SendError) -> anyhow::Result<()> {
    let line = too_large(error).with_context(|| error.to_string())?;
    print(&line);
    Ok(())
}
