//! Sends a command: reads the payload, counts the targets, asks, sends it once, and follows it if that is wanted.

use std::{
    fs,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use hyper::Method;
use muster_protocol::{
    CommandId, Payload, Selector,
    api::{CommandRequest, CommandView, Confirm, DryRun, Offline},
};
use tokio::{signal::unix::Signal, time::sleep};
use uuid::Uuid;

use crate::{
    api::{ApiAnswer, ApiError, ClusterApi},
    cli::{ConfirmName, NamedPayload, OfflineName, Send, TargetFlags},
    exit::Exit,
    follow::{self, Followed},
    text::{Printer, confirmed, count, note, one_line, selected, states},
};

/// How often a command is sent at most, if no answer comes. The same `Idempotency-Key` makes it one command.
const ATTEMPTS: u32 = 4;
/// The wait before the second attempt. Each wait is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The largest payload that is read, in bytes. A node takes less.
const PAYLOAD_MAX: u64 = 16 << 20;

/// Sends a command.
pub async fn send(api: &ClusterApi, out: &Printer, send: Box<Send>) -> anyhow::Result<Exit> {
    let request = request(&send)?;
    let selects = matches!(request.target, Selector::All | Selector::Labels(_) | Selector::Match(_));
    let reaches_nobody = request.offline == Offline::Skip || selects;
    match send_requested(api, out, *send, &request).await {
        Err(error) if reaches_nobody && is_conflict(&error) => {
            note(&one_line(&format!("{error:#}")));
            Ok(Exit::NoneOnline)
        }
        done => done,
    }
}

/// Returns whether the node has no target for the command: none is selected, or the only one is offline.
fn is_conflict(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ApiError>().is_some_and(ApiError::is_conflict)
}

async fn send_requested(api: &ClusterApi, out: &Printer, send: Send, request: &CommandRequest) -> anyhow::Result<Exit> {
    let body = serde_json::to_string(request)?;
    let is_for_one = matches!(request.target, Selector::Terminal(_));
    let counted = match (send.dry_run, is_for_one && send.wait.is_none(), send.yes && send.wait.is_none()) {
        (false, true, _) | (false, _, true) => None,
        _ => Some(api.send(Method::POST, "/v1/commands?dry_run=1", body.clone(), None).await?),
    };
    let count_of = counted.as_ref().map(ApiAnswer::read::<DryRun>).transpose()?;
    if let (true, Some(answer), Some(count)) = (send.dry_run, &counted, &count_of) {
        out.either(&answer.text(), || reach_of(&request.target, count))?;
        return Ok(if count.online == 0 { Exit::NoneOnline } else { Exit::Done });
    }
    if let Some(counted) = count_of.filter(|_| !is_for_one && !send.yes) {
        let question = format!("Send {} to {}?", one_line(&request.name), reach_of(&request.target, &counted));
        ensure!(confirmed(&question), "nothing was sent");
    }
    let key = send.idempotency_key.unwrap_or_else(|| Uuid::now_v7().to_string());
    let mut interrupt = follow::interrupt()?;
    let accepted = accept(api, "/v1/commands", &body, &key, &mut interrupt).await?;
    let someone_online = count_of.is_none_or(|count| count.online > 0);
    match (accepted, send.wait) {
        (Acceptance::Answered(answer), None) => told(out, &answer),
        (Acceptance::Answered(answer), Some(wait)) => {
            let command: CommandView = answer.read()?;
            if !command.stored {
                return told(out, &answer);
            }
            follow::to_the_end(
                api,
                out,
                Followed { command: command.id, wait, someone_online, was_sent: true, interrupt },
            )
            .await
        }
        (Acceptance::InPart(command), None) => {
            note(&format!("{command}: stored; a part of the store does not answer, and gets it when it is back"));
            Ok(Exit::Done)
        }
        (Acceptance::InPart(command), Some(wait)) => {
            note("stored; a part of the store does not answer, and gets it when it is back");
            follow::to_the_end(api, out, Followed { command, wait, someone_online, was_sent: true, interrupt }).await
        }
        (Acceptance::Unknown(exit), _) => Ok(exit),
    }
}

fn told(out: &Printer, answer: &ApiAnswer) -> anyhow::Result<Exit> {
    let command: CommandView = answer.read()?;
    out.either(&answer.text(), || format!("{}: {}", command.id, states(&command)))?;
    match command.stored {
        true => note(&format!("muster watch {} follows it", command.id)),
        false => note("the store does not answer: the command went to the terminal directly and can't be followed"),
    }
    Ok(if command.targets == 0 { Exit::NoneOnline } else { Exit::Done })
}

pub fn reach_of(target: &Selector, counted: &DryRun) -> String {
    format!("{} ({}), {} online", count(counted.targets, "terminal"), one_line(&selected(target)), counted.online)
}

/// What came of sending.
pub enum Acceptance {
    /// The node has accepted the command.
    Answered(ApiAnswer),
    /// The command is stored, but a part of the store does not have its share yet.
    InPart(CommandId),
    /// It is unknown whether the node accepted the command, and the screen says so. The call ends with this code.
    Unknown(Exit),
}

/// Has a command accepted under this `Idempotency-Key`: asks until there is an answer, four times at most.
///
/// # Errors
/// If nothing was accepted.
pub async fn accept(
    api: &ClusterApi,
    path: &str,
    body: &str,
    key: &str,
    interrupt: &mut Signal,
) -> Result<Acceptance, ApiError> {
    let unknown = |why: &str, exit| {
        note(&one_line(&format!(
            "{why}; it is not known whether the command was sent. muster commands shows it if it was; its idempotency key is {key}"
        )));
        Ok(Acceptance::Unknown(exit))
    };
    let (mut wait, mut may_be_sent) = (FIRST_WAIT, false);
    for attempt in 1.. {
        let answer = tokio::select! {
            answer = api.send(Method::POST, path, body.to_owned(), Some(key)) => answer,
            _ = interrupt.recv() => return unknown("interrupted", Exit::Interrupted),
        };
        let error = match answer {
            Ok(answer) => return Ok(Acceptance::Answered(answer)),
            Err(error) => error,
        };
        if let Some(command) = error.stored() {
            return Ok(Acceptance::InPart(command));
        }
        may_be_sent |= error.leaves_it_open();
        if !error.is_passing() || attempt == ATTEMPTS {
            return if may_be_sent { unknown(&error.to_string(), Exit::TimedOut) } else { Err(error) };
        }
        note(&one_line(&format!("{error}; trying again in {wait:?}")));
        sleep(wait).await;
        wait *= 2;
    }
    unreachable!("the last attempt returns")
}

fn request(send: &Send) -> anyhow::Result<CommandRequest> {
    Ok(CommandRequest {
        target: target(&send.targets),
        name: send.what.name.clone(),
        payload: payload(&send.what)?,
        expires_in: send.expires_in,
        confirm: confirm(send.confirm),
        offline: if send.offline == OfflineName::Skip { Offline::Skip } else { Offline::Queue },
        stagger: send.stagger.unwrap_or_default(),
        rate: send.rate,
    })
}

/// Returns what a terminal must report, by the name of the flag's value.
pub fn confirm(name: ConfirmName) -> Confirm {
    match name {
        ConfirmName::None => Confirm::None,
        ConfirmName::Ack => Confirm::Ack,
        ConfirmName::Result => Confirm::Result,
    }
}

/// Returns the terminals that flags choose.
pub fn target(flags: &TargetFlags) -> Selector {
    if let Some(expression) = &flags.expression {
        return Selector::Match(expression.clone());
    }
    match flags.to.as_slice() {
        [] if flags.all => Selector::All,
        [] => Selector::Labels(flags.label.iter().cloned().collect()),
        [one] => Selector::Terminal(one.clone()),
        some => Selector::Terminals(some.to_vec()),
    }
}

/// Returns the payload that flags give.
///
/// # Errors
/// If it is no JSON, or its file can't be read.
pub fn payload(flags: &NamedPayload) -> anyhow::Result<Payload> {
    let json = match (&flags.payload, &flags.text, &flags.file) {
        (Some(json), _, _) => json.clone(),
        (_, Some(text), _) => return Ok(Payload::from_text(text)),
        (_, _, Some(file)) => {
            let bytes = read(file)?;
            if flags.bytes {
                return Ok(Payload::from_bytes(&bytes));
            }
            String::from_utf8(bytes)
                .with_context(|| format!("--file {}: it is no text; is it for --bytes?", file.display()))?
        }
        (None, None, None) => return Ok(Payload::default()),
    };
    serde_json::from_str(&json).map_err(|error| {
        let advice =
            if flags.file.is_some() { "--bytes takes a file as it is" } else { "--text takes a text as it is" };
        anyhow::anyhow!("the payload is no JSON: {error}. {advice}")
    })
}

/// Reads a file, or standard input if it is `-`.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let flag = || format!("--file {}", file.display());
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        io::stdin().take(PAYLOAD_MAX + 1).read_to_end(&mut bytes).with_context(flag)?;
    } else {
        fs::File::open(file).with_context(flag)?.take(PAYLOAD_MAX + 1).read_to_end(&mut bytes).with_context(flag)?;
    }
    if bytes.len() as u64 > PAYLOAD_MAX {
        bail!("{}: it has more than {PAYLOAD_MAX} bytes", flag());
    }
    Ok(bytes)
}
