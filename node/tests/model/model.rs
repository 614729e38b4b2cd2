//! The model: what a store has to answer and to deliver, in a few plain maps. It knows nothing of how a store works.

use std::collections::{BTreeMap, BTreeSet};

use muster_protocol::api::{Confirm, TargetState};

use crate::{
    answer::{self, StepResult},
    operation::{Operation, Request, Resume, TargetChoice},
    rules::{self, BACKLOG, KEEP, LONG, SHORT},
};

#[derive(Debug, Default)]
pub struct Model {
    /// Seconds since the sequence began.
    pub now: u64,
    /// How often the store was lost.
    epoch: u64,
    pub terminals: BTreeMap<u8, Known>,
    pub commands: Vec<ModelCommand>,
    keys: BTreeMap<u8, (u8, usize)>,
    /// Commands that name a terminal as target and that it has not confirmed.
    waiting: BTreeMap<u8, BTreeSet<usize>>,
    /// The stores whose cursors a terminal was given, oldest first.
    cursors: BTreeMap<u8, Vec<u64>>,
    outcome: StepResult,
}

/// A terminal that joined and was not forgotten.
#[derive(Debug, Default)]
pub struct Known {
    pub session: Option<ModelSession>,
    pub given: Option<u8>,
    pub condition: u8,
    /// The number of commands that were accepted before the terminal became known: it is a target of none of them.
    since: usize,
    replaced: Vec<u64>,
}

#[derive(Debug)]
pub struct ModelSession {
    pub node: u8,
    will: bool,
    condition: u8,
    seen: BTreeSet<usize>,
}

#[derive(Debug)]
pub struct ModelCommand {
    /// Whether the command names no terminals: then it stands in no backlog.
    to_all: bool,
    pub confirm: Confirm,
    pub expires: u64,
    pub cancelled: bool,
    stored: bool,
    /// Whether it was told that the command is done.
    told: bool,
    pub targets: BTreeMap<u8, TargetStatus>,
}

#[derive(Debug)]
pub struct TargetStatus {
    pub state: TargetState,
    pub steps: BTreeSet<&'static str>,
    pub reply: u8,
}

impl ModelCommand {
    pub fn is_stored(&self, now: u64) -> bool {
        self.stored && self.expires + KEEP > now
    }

    fn is_live(&self, now: u64) -> bool {
        self.stored && !self.cancelled && self.expires > now
    }
}

impl Model {
    /// Applies an operation. Returns what it leads to.
    pub fn apply(&mut self, operation: &Operation) -> StepResult {
        self.outcome = StepResult::default();
        let answer = match operation {
            Operation::Accept(request) => self.accept(request),
            Operation::Estimate(request) => self.estimate(request),
            Operation::Join { terminal, node, resume, will } => self.join(*terminal, *node, resume, *will),
            Operation::Leave { terminal, lost } => self.leave(*terminal, if *lost { "lost" } else { "left" }),
            Operation::Report { command, terminal, state, reply } => self.report(*command, *terminal, *state, *reply),
            Operation::Cancel { command } => self.cancel(*command),
            Operation::Label { terminal, site } => self.label(*terminal, *site),
            Operation::Forget { terminal } => self.forget(*terminal),
            Operation::Disconnect { terminal } => {
                let online = self.is_online(*terminal);
                self.leave(*terminal, "disconnected");
                online.to_string()
            }
            Operation::Health { terminal, condition } => self.health(*terminal, *condition),
            Operation::Flush => self.flush(),
            Operation::Clock { tens } => {
                self.now += 10 * u64::from(*tens);
                String::new()
            }
            Operation::InjectedFailure(_) => String::new(),
        };
        self.tell_done();
        self.outcome.answer = answer;
        std::mem::take(&mut self.outcome)
    }

    /// Whether an operation can happen, and all stores do the same then: only a session reports.
    pub fn allows(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Report { terminal, .. } => self.is_online(*terminal),
            _ => true,
        }
    }

    /// Whether a terminal was forgotten, and came back, after a command was accepted: it is a target of nothing of before, whatever it
    /// says.
    fn came_back_after(&self, terminal: u8, index: usize) -> bool {
        self.terminals.get(&terminal).is_some_and(|known| index < known.since)
    }

    /// The index of the command that a number names.
    pub fn index(&self, command: u8) -> Option<usize> {
        usize::from(command).checked_rem(self.commands.len())
    }

    fn is_online(&self, terminal: u8) -> bool {
        self.terminals.get(&terminal).is_some_and(|known| known.session.is_some())
    }

    /// The targets of a request, and how many of the selected terminals are online; or why it is refused.
    fn resolve(&self, request: &Request) -> Result<(Vec<u8>, usize), String> {
        let named = match &request.target {
            TargetChoice::One(terminal) => Some(vec![*terminal]),
            TargetChoice::Several(terminals) => {
                Some(terminals.iter().copied().collect::<BTreeSet<_>>().into_iter().collect())
            }
            TargetChoice::All | TargetChoice::Site(_) => None,
        };
        let selected: Vec<u8> = match (&named, &request.target) {
            (Some(named), _) => named.clone(),
            (None, TargetChoice::Site(wanted)) => {
                let has = |terminal: &u8| rules::site(*terminal, &self.terminals[terminal]) == answer::site(*wanted);
                self.terminals.keys().copied().filter(has).collect()
            }
            _ => self.terminals.keys().copied().collect(),
        };
        let names = |terminals: Vec<u8>| answer::list(terminals.into_iter().map(answer::terminal));
        let unknown: Vec<_> = selected.iter().copied().filter(|one| !self.terminals.contains_key(one)).collect();
        if !unknown.is_empty() {
            return Err(format!("unknown {}", names(unknown)));
        }
        let (online, offline): (Vec<u8>, Vec<u8>) = selected.iter().partition(|one| self.is_online(**one));
        let count = online.len();
        match (request.skip, named) {
            (true, Some(_)) if !offline.is_empty() => Err(format!("offline {}", names(offline))),
            (true, _) => Ok((online, count)),
            (false, _) => Ok((selected, count)),
        }
    }

    fn estimate(&self, request: &Request) -> String {
        self.resolve(request).map_or_else(|refusal| refusal, |(targets, online)| format!("{} {online}", targets.len()))
    }

    fn accept(&mut self, request: &Request) -> String {
        if let Some((key, body)) = request.key
            && let Some((before, command)) = self.keys.get(&key)
        {
            return if *before == body { format!("before c{command}") } else { format!("other body c{command}") };
        }
        let targets = match self.resolve(request) {
            Ok((targets, _)) => targets,
            Err(refusal) => return refusal,
        };
        if targets.is_empty() {
            return "nobody".into();
        }
        let to_all = matches!(request.target, TargetChoice::All | TargetChoice::Site(_));
        let full: Vec<_> = targets.iter().copied().filter(|one| self.live_waiting(*one) >= BACKLOG).collect();
        if !to_all && !full.is_empty() {
            return format!("full {}", answer::list(full.into_iter().map(answer::terminal)));
        }
        let index = self.commands.len();
        let expires = self.now + if request.long { LONG } else { SHORT };
        let queued = || TargetStatus { state: TargetState::Queued, steps: BTreeSet::new(), reply: 0 };
        self.commands.push(ModelCommand {
            to_all,
            confirm: request.confirm,
            expires,
            cancelled: false,
            stored: true,
            told: false,
            targets: targets.iter().map(|one| (*one, queued())).collect(),
        });
        if let Some((key, body)) = request.key {
            self.keys.insert(key, (body, index));
        }
        if !to_all {
            targets.iter().for_each(|one| _ = self.waiting.entry(*one).or_default().insert(index));
        }
        let view = rules::command(&self.commands[index], self.now);
        targets.into_iter().for_each(|one| self.deliver(one, index));
        format!("c{index} {view}")
    }

    fn live_waiting(&self, terminal: u8) -> usize {
        let waiting = self.waiting.get(&terminal).into_iter().flatten();
        waiting.filter(|index| self.commands[**index].is_live(self.now)).count()
    }

    fn deliver(&mut self, terminal: u8, index: usize) {
        let Some(session) = self.terminals.get_mut(&terminal).and_then(|known| known.session.as_mut()) else { return };
        if !session.seen.insert(index) {
            return;
        }
        self.outcome.deliveries.entry(answer::terminal(terminal)).or_default().push(format!("c{index}"));
        self.raise(index, terminal, TargetState::Sent, rules::is_plain(terminal));
    }

    fn raise(&mut self, index: usize, terminal: u8, state: TargetState, last: bool) {
        let command = &mut self.commands[index];
        if !command.is_stored(self.now) {
            return;
        }
        let Some(target) = command.targets.get_mut(&terminal) else { return };
        target.steps.insert(rules::step(state));
        if state.rank() > target.state.rank() {
            target.state = state;
            *self.outcome.events.entry(format!("command.state c{index} {}", state.name())).or_default() += 1;
        }
        if !command.to_all && (last || state.rank() >= TargetState::Acked.rank()) {
            self.waiting.entry(terminal).or_default().remove(&index);
        }
    }

    fn report(&mut self, command: u8, terminal: u8, state: TargetState, reply: Option<u8>) -> String {
        let Some(index) = self.index(command) else { return String::new() };
        if self.came_back_after(terminal, index) {
            return String::new();
        }
        let command = &mut self.commands[index];
        if let Some(reply) = reply
            && command.is_stored(self.now)
            && let Some(target) = command.targets.get_mut(&terminal)
        {
            target.reply = reply;
        }
        self.raise(index, terminal, state, false);
        String::new()
    }

    fn cancel(&mut self, command: u8) -> String {
        let Some(index) = self.index(command) else { return "none".into() };
        let now = self.now;
        let command = &mut self.commands[index];
        if !command.is_stored(now) {
            return "none".into();
        }
        let queued = command.targets.values().any(|target| target.state == TargetState::Queued);
        if command.is_live(now) && queued {
            command.cancelled = true;
            self.event(format!("command.state c{index} cancelled"));
        }
        rules::command(&self.commands[index], now)
    }

    fn join(&mut self, terminal: u8, node: u8, resume: &Resume, will: bool) -> String {
        let now = self.now;
        let newcomer = Known { since: self.commands.len(), ..Known::default() };
        let known = self.terminals.entry(terminal).or_insert(newcomer);
        let since = known.since;
        let mut contest = String::new();
        if known.session.is_some() {
            known.replaced.retain(|at| now - at < 60);
            known.replaced.push(now);
            let times = known.replaced.len();
            if times >= 5 {
                contest = format!("after {} ms ", 250 * (1 << (times - 5)).min(60));
            }
            if times == 5 {
                self.event(format!("terminal.contested t{terminal}"));
            }
        }
        let session = ModelSession { node, will, condition: 0, seen: BTreeSet::new() };
        self.terminals.entry(terminal).or_default().session = Some(session);
        self.event(format!("terminal.online t{terminal}"));
        let cursors = self.cursors.entry(terminal).or_default();
        let is_lost = match resume {
            _ if rules::is_plain(terminal) || cursors.is_empty() => false,
            Resume::Fresh => false,
            Resume::Given(back) => cursors[cursors.len() - 1 - usize::from(*back) % cursors.len()] != self.epoch,
            Resume::Foreign | Resume::Beyond => true,
        };
        cursors.push(self.epoch);
        if is_lost {
            self.outcome.deliveries.entry(answer::terminal(terminal)).or_default().push("gap".into());
        }
        let waiting = self.waiting.get(&terminal).cloned().unwrap_or_default();
        let missed = (0..self.commands.len()).filter(|index| {
            let command = &self.commands[*index];
            let state = command.targets.get(&terminal).map(|target| target.state);
            let resent =
                command.to_all && *index >= since && state.is_some_and(|state| rules::is_resent(terminal, state));
            command.is_live(now) && (resent || waiting.contains(index))
        });
        let missed: Vec<_> = missed.collect();
        missed.into_iter().for_each(|index| self.deliver(terminal, index));
        format!("{contest}in")
    }

    fn leave(&mut self, terminal: u8, reason: &str) -> String {
        if let Some(session) = self.terminals.get_mut(&terminal).and_then(|known| known.session.take()) {
            self.event(format!("terminal.offline t{terminal} {reason}"));
            if session.will && reason == "lost" {
                self.event(format!("terminal.event t{terminal} will"));
            }
        }
        String::new()
    }

    fn label(&mut self, terminal: u8, site: Option<u8>) -> String {
        let Some(known) = self.terminals.get_mut(&terminal) else { return "none".into() };
        known.given = site;
        rules::terminal(terminal, known)
    }

    fn forget(&mut self, terminal: u8) -> String {
        self.leave(terminal, "removed");
        self.waiting.remove(&terminal);
        self.terminals.remove(&terminal).is_some().to_string()
    }

    fn health(&mut self, terminal: u8, condition: u8) -> String {
        let Some(known) = self.terminals.get_mut(&terminal) else { return String::new() };
        let Some(session) = &mut known.session else { return String::new() };
        known.condition = condition;
        if std::mem::replace(&mut session.condition, condition) != condition {
            self.event(format!("terminal.health t{terminal} {}", answer::condition(condition)));
        }
        String::new()
    }

    /// Everything is lost but the sessions, which join again.
    fn flush(&mut self) -> String {
        self.epoch += 1;
        self.commands.iter_mut().for_each(|command| command.stored = false);
        self.keys.clear();
        self.waiting.clear();
        self.terminals.retain(|_, known| known.session.is_some());
        for (terminal, known) in &mut self.terminals {
            *known = Known { session: known.session.take(), ..Known::default() };
            let name = answer::terminal(*terminal);
            *self.outcome.events.entry(format!("terminal.online {name}")).or_default() += 1;
            self.cursors.entry(*terminal).or_default().push(self.epoch);
            if !rules::is_plain(*terminal) {
                self.outcome.deliveries.entry(name).or_default().push("gap".into());
            }
        }
        String::new()
    }

    /// Each command is told to be done once: with the operation by which all targets have confirmed, or can't any more. A command that
    /// expires is told before it is forgotten.
    fn tell_done(&mut self) {
        for index in 0..self.commands.len() {
            let command = &mut self.commands[index];
            if !command.stored || command.told {
                continue;
            }
            if let Some(event) = rules::done(&format!("c{index}"), command, self.now) {
                command.told = true;
                self.event(event);
            }
        }
    }

    fn event(&mut self, event: String) {
        *self.outcome.events.entry(event).or_default() += 1;
    }
}
