//! The rules of the model: bounds, the order of states, and how the model's things are shown.

use std::collections::BTreeMap;

use muster_protocol::api::{CommandState, Confirm, TargetState};

use crate::{
    answer::{self, Snapshot},
    model::{Known, Model, ModelCommand},
    operation::TERMINALS,
};

/// How long a command lasts, in seconds. The clock moves by tens of seconds, so no step of it meets an end exactly.
pub const SHORT: u64 = 25;
pub const LONG: u64 = 1005;
/// How long a command is stored after it expired, in seconds.
pub const KEEP: u64 = 30;
/// The most commands that wait for one terminal.
pub const BACKLOG: usize = 4;

pub fn is_plain(terminal: u8) -> bool {
    terminal + 1 == TERMINALS
}

/// Whether a broadcast is sent again to a terminal that joins. A plain terminal can't recognize a repeated command.
pub fn is_resent(terminal: u8, state: TargetState) -> bool {
    state == TargetState::Queued || state == TargetState::Sent && !is_plain(terminal)
}

pub fn step(state: TargetState) -> &'static str {
    match state {
        TargetState::Sent => "sent",
        TargetState::Acked => "acked",
        TargetState::Running => "running",
        _ => "ended",
    }
}

/// The site by which a terminal is selected: an operator's word counts before the terminal's own.
pub fn site(terminal: u8, known: &Known) -> &'static str {
    known.given.map_or_else(|| answer::own_site(terminal), answer::site)
}

/// The state that is shown: what is concluded without the terminal only stands where nothing final is known.
fn shown(command: &ModelCommand, state: TargetState, now: u64) -> TargetState {
    let over = now >= command.expires;
    match state {
        TargetState::Queued if command.cancelled => TargetState::Cancelled,
        TargetState::Queued if over => TargetState::Expired,
        TargetState::Acked | TargetState::Running if over && command.confirm == Confirm::Result => {
            TargetState::TimedOut
        }
        state => state,
    }
}

fn is_done(confirm: Confirm, state: TargetState) -> bool {
    use TargetState::{Acked, Queued, Running, Sent};
    match confirm {
        Confirm::None => state != Queued,
        Confirm::Ack => ![Queued, Sent].contains(&state),
        Confirm::Result => ![Queued, Sent, Acked, Running].contains(&state),
    }
}

/// The number of targets in each state, and whether every target has confirmed what was asked for, or can't any more.
fn counts(command: &ModelCommand, now: u64) -> (BTreeMap<TargetState, u64>, bool) {
    let mut counts = BTreeMap::new();
    for target in command.targets.values() {
        *counts.entry(shown(command, target.state, now)).or_default() += 1;
    }
    let done = now >= command.expires || counts.keys().all(|state| is_done(command.confirm, *state));
    (counts, done)
}

/// The event of a command that is done. None if it is not.
pub fn done(name: &str, command: &ModelCommand, now: u64) -> Option<String> {
    let (counts, is_done) = counts(command, now);
    let counts = counts.into_iter().map(|(state, count)| (state.name().to_owned(), count)).collect();
    let state = if command.cancelled { "cancelled" } else { "done" };
    is_done.then(|| answer::done(name, state, command.targets.len() as u64, &counts))
}

pub fn command(command: &ModelCommand, now: u64) -> String {
    let (counts, done) = counts(command, now);
    let state = match (command.cancelled, done) {
        (true, _) => CommandState::Cancelled,
        (false, true) => CommandState::Done,
        (false, false) => CommandState::Open,
    };
    answer::command(state, command.targets.len() as u64, &counts)
}

pub fn terminal(terminal: u8, known: &Known) -> String {
    let (status, node) =
        known.session.as_ref().map_or(("offline", "-".into()), |session| ("online", node(session.node)));
    format!("{status} {} {node} kind=x site={}", answer::condition(known.condition), site(terminal, known))
}

fn node(number: u8) -> String {
    format!("n{number}")
}

/// What everything that can be asked has to be answered with.
pub fn snapshot(model: &Model) -> Snapshot {
    let mut all = Snapshot::new();
    for (index, one) in model.commands.iter().enumerate() {
        let stored = one.is_stored(model.now);
        let view = if stored { command(one, model.now) } else { "none".into() };
        all.insert(format!("c{index}"), view);
        for (terminal, target) in one.targets.iter().filter(|_| stored) {
            let steps: Vec<_> = ["queued"].into_iter().chain(target.steps.iter().copied()).collect();
            let reply = if target.reply == 0 { "null".into() } else { target.reply.to_string() };
            let shown = shown(one, target.state, model.now);
            all.insert(format!("c{index} t{terminal}"), answer::target(shown, &steps, &reply));
        }
    }
    for number in 0..TERMINALS {
        let view = model.terminals.get(&number).map_or_else(|| "none".into(), |known| terminal(number, known));
        all.insert(format!("t{number}"), view);
    }
    let known = || model.terminals.iter().map(|(number, known)| (*number, known));
    for label in ["", "a", "b", "c"] {
        for (status, is_online) in [("any", None), ("online", Some(true)), ("offline", Some(false))] {
            let wanted = known().filter(|(number, known)| {
                (label.is_empty() || site(*number, known) == label)
                    && is_online.is_none_or(|online| known.session.is_some() == online)
            });
            let names = answer::list(wanted.map(|(number, _)| answer::terminal(number)));
            all.insert(format!("list {label} {status}"), names);
        }
    }
    let online = known().filter(|(_, known)| known.session.is_some()).count();
    all.insert("fleet".into(), format!("online {online}, stale 0, offline {}", model.terminals.len() - online));
    let mut conditions: BTreeMap<String, u64> = (0..3).map(|one| (answer::condition(one).to_owned(), 0)).collect();
    let (mut labels, mut nodes) = (BTreeMap::new(), BTreeMap::from([(node(0), 0), (node(1), 0)]));
    for (number, known) in known() {
        *conditions.entry(answer::condition(known.condition).into()).or_default() += 1;
        *labels.entry(format!("site={}", site(number, known))).or_default() += 1;
        *labels.entry("kind=x".to_owned()).or_default() += 1;
        if let Some(session) = &known.session {
            *nodes.entry(node(session.node)).or_default() += 1;
        }
    }
    all.insert("by condition".into(), answer::numbers(&conditions));
    all.insert("by label".into(), answer::numbers(&labels));
    all.insert("by node".into(), answer::numbers(&nodes));
    all
}
