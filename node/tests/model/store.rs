//! A store under test: its nodes, and how an operation is applied to it through the contract of backplanes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::Ordering},
};

use jiff::Timestamp;
use muster_node::{
    backplane::{
        Accepted, BackplaneError, CommandDraft, CommandRecord, Cursor, IdempotencyKey, JoinRequest, TimeSource,
    },
    end::SessionEnd,
    hub::SessionInfo,
};
use muster_protocol::{
    CommandId, Payload, Selector, SessionId, TerminalId,
    api::{CommandRequest, Offline, Protocol},
    frame::{self, Condition, Health},
    partition::Partitions,
    selector::Labels,
};
use uuid::Uuid;

use crate::{
    answer::{self, StepResult},
    clock::StillClock,
    node::{ModelNode, will},
    operation::{Operation, Request, Resume, TargetChoice},
    rules,
    sessions::Delivered,
};

pub struct Store {
    pub nodes: Vec<ModelNode>,
    pub received: Arc<Mutex<Delivered>>,
    /// The partitions of the store: one in memory.
    pub partitions: Partitions,
    pub clock: Arc<StillClock>,
    /// The ids of all commands that were accepted, by their numbers.
    pub commands: Vec<CommandId>,
    /// The node of each terminal's last session, as the operation had it: a store of one node has one for both.
    pub placed: BTreeMap<u8, u8>,
    pub conditions: BTreeMap<u8, Condition>,
    /// The cursor of the last event that was read.
    pub event: String,
    pub case: u64,
}

pub fn id(terminal: u8) -> TerminalId {
    answer::terminal(terminal).parse().unwrap()
}

impl Store {
    pub fn node(&self, number: u8) -> &ModelNode {
        &self.nodes[usize::from(number) % self.nodes.len()]
    }

    /// Applies an operation that a backplane has a method or a report for.
    pub async fn apply(&mut self, operation: &Operation) -> String {
        match operation {
            Operation::Accept(request) => self.accept(request).await,
            Operation::Estimate(request) => match self.node(1).backplane.estimate(&self.request(request)).await {
                Ok(dry) => format!("{} {}", dry.targets, dry.online),
                Err(error) => self.refusal(&error),
            },
            Operation::Join { terminal, node, resume, will } => self.join(*terminal, *node, resume, *will).await,
            Operation::Leave { terminal, lost } => {
                let end = if *lost { SessionEnd::Lost } else { SessionEnd::Left };
                self.nodes.iter().for_each(|node| node.sessions.end(&id(*terminal), None, end));
                String::new()
            }
            Operation::Report { command, terminal, state, reply } => {
                let Some(command) = self.named(*command) else { return String::new() };
                let reports = &self.node(self.placed.get(terminal).copied().unwrap_or(0)).reports;
                if let Some(reply) = reply {
                    let value = if *reply == 0 { serde_json::Value::Null } else { (*reply).into() };
                    reports.reply(command, id(*terminal), Payload::from_value(&value));
                }
                reports.state(command, *state, id(*terminal));
                String::new()
            }
            Operation::Cancel { command } => {
                let command = self.named(*command).unwrap_or(CommandId(Uuid::from_u128(7)));
                let cancelled = self.node(1).backplane.cancel(command).await;
                self.answer(cancelled, |record| record.map_or_else(|| "none".into(), |record| self.view(&record)))
            }
            Operation::Label { terminal, site } => {
                let labels: Labels = site.iter().map(|site| ("site".into(), answer::site(*site).into())).collect();
                let labelled = self.node(0).backplane.label(&id(*terminal), &labels).await;
                self.answer(labelled, |view| view.map_or_else(|| "none".into(), |view| self.terminal(&view)))
            }
            Operation::Forget { terminal } => {
                let forgotten = self.node(1).backplane.forget(&id(*terminal)).await;
                self.answer(forgotten, |was_known| was_known.to_string())
            }
            Operation::Disconnect { terminal } => {
                let disconnected = self.node(0).backplane.disconnect(&id(*terminal)).await;
                self.answer(disconnected, |was_online| was_online.to_string())
            }
            Operation::Health { terminal, condition } => {
                self.health(*terminal, *condition);
                String::new()
            }
            Operation::Flush | Operation::Clock { .. } | Operation::InjectedFailure(_) => String::new(),
        }
    }

    fn named(&self, command: u8) -> Option<CommandId> {
        Some(self.commands[usize::from(command).checked_rem(self.commands.len())?])
    }

    pub fn answer<T>(&self, result: Result<T, BackplaneError>, words: impl FnOnce(T) -> String) -> String {
        result.map_or_else(|error| self.refusal(&error), words)
    }

    fn refusal(&self, error: &BackplaneError) -> String {
        let names = |ids: &[TerminalId]| answer::list(ids.iter().map(|id| id.to_string()));
        match error {
            BackplaneError::Unknown(ids) => format!("unknown {}", names(ids)),
            BackplaneError::Offline(ids) => format!("offline {}", names(ids)),
            BackplaneError::Full(ids) => format!("full {}", names(ids)),
            BackplaneError::Nobody => "nobody".into(),
            BackplaneError::OtherBody(id) => format!("other body {}", self.name(*id)),
            other => format!("error: {other}"),
        }
    }

    /// The model's name of a command.
    pub fn name(&self, id: CommandId) -> String {
        let index = self.commands.iter().position(|known| *known == id);
        index.map_or_else(|| format!("no command of this sequence: {id}"), |index| format!("c{index}"))
    }

    pub fn view(&self, record: &CommandRecord) -> String {
        let view = record.view(self.clock.now());
        answer::command(view.state, view.targets, &view.counts)
    }

    async fn accept(&mut self, request: &Request) -> String {
        // The number orders the ids of one millisecond, and the sequence makes them differ from those of others.
        let (number, ms) = (self.commands.len() as u32, self.clock.now().as_millisecond() as u64);
        let mut rest = [0; 10];
        rest[2..6].copy_from_slice(&number.to_be_bytes());
        rest[6..].copy_from_slice(&(self.case as u32).to_be_bytes());
        let id = CommandId(uuid::Builder::from_unix_timestamp_millis(ms, &rest).into_uuid());
        let key = request.key.map(|(key, body)| IdempotencyKey { key: format!("k{key}"), body: format!("b{body}") });
        let asked = self.request(request);
        let frame = frame::Command {
            id,
            name: asked.name.clone(),
            payload: asked.payload.clone(),
            expires_at: self.clock.now() + asked.expires_in,
            cursor: None,
            stagger_ms: None,
        };
        let draft = CommandDraft { request: asked, frame, created_at: self.clock.now(), by: String::new(), key };
        match self.node(number as u8).backplane.accept(draft).await {
            Ok(Accepted::New(view)) => {
                // A store of several partitions has the home of the command in its id.
                self.commands.push(view.id);
                format!("c{number} {}", answer::command(view.state, view.targets, &view.counts))
            }
            Ok(Accepted::Before(before)) => format!("before {}", self.name(before)),
            Err(error) => self.refusal(&error),
        }
    }

    fn request(&self, request: &Request) -> CommandRequest {
        let target = match &request.target {
            TargetChoice::All => Selector::All,
            TargetChoice::One(terminal) => Selector::Terminal(id(*terminal)),
            TargetChoice::Several(terminals) => {
                let mut ids: Vec<_> = terminals.iter().map(|terminal| id(*terminal)).collect();
                ids.sort();
                ids.dedup();
                Selector::Terminals(ids)
            }
            TargetChoice::Site(site) => Selector::Labels([("site".into(), answer::site(*site).into())].into()),
        };
        let seconds = if request.long { rules::LONG } else { rules::SHORT };
        CommandRequest {
            target,
            name: "show".into(),
            payload: Payload::from_text("hello"),
            expires_in: std::time::Duration::from_secs(seconds),
            confirm: request.confirm,
            offline: if request.skip { Offline::Skip } else { Offline::Queue },
            stagger: std::time::Duration::ZERO,
            rate: None,
        }
    }

    async fn join(&mut self, terminal: u8, node: u8, resume: &Resume, wants_will: bool) -> String {
        let plain = rules::is_plain(terminal);
        let cursor = if plain { None } else { self.cursor(terminal, resume) };
        let info = SessionInfo {
            terminal: id(terminal),
            session: SessionId(Uuid::now_v7()),
            protocol: if plain { Protocol::Plain } else { Protocol::V1 },
            partition: self.partitions.of(&id(terminal)),
            labels: [("site".into(), answer::own_site(terminal).into()), ("kind".into(), "x".into())].into(),
            address: "127.0.0.1".into(),
            edge: None,
            connected_at: Timestamp::now(),
        };
        self.placed.insert(terminal, node);
        self.conditions.insert(terminal, Condition::Ok);
        let will = wants_will.then(will);
        let request = JoinRequest { info: Arc::new(info), will, cursor, again: false, patient: false };
        self.node(node).join(request).await
    }

    fn cursor(&self, terminal: u8, resume: &Resume) -> Option<Cursor> {
        let received = self.received.lock().unwrap();
        let given = received.cursors.get(&id(terminal))?;
        let newest = given.last()?;
        match resume {
            Resume::Fresh => None,
            Resume::Given(back) => Some(given[given.len() - 1 - usize::from(*back) % given.len()].clone()),
            Resume::Foreign => Some(Cursor { epoch: "0badcafe".into(), number: newest.number }),
            Resume::Beyond => Some(Cursor { number: newest.number + (1 << 40), ..newest.clone() }),
        }
    }

    fn health(&mut self, terminal: u8, condition: u8) {
        let reporter = self.nodes.iter().find(|node| node.hub.has(&id(terminal)));
        let Some(reporter) = reporter else { return };
        let condition: Condition =
            serde_json::from_value(answer::condition(condition).into()).expect("the name of a condition");
        let was = self.conditions.insert(terminal, condition).unwrap_or_default();
        reporter.reports.health(&id(terminal), Health { condition, metrics: Default::default() }, was);
    }

    /// What sessions received and what happened since the last call.
    pub async fn outcome(&mut self, answer: String) -> StepResult {
        let events = self.events().await;
        let mut deliveries: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (terminal, command) in std::mem::take(&mut self.received.lock().unwrap().log) {
            let words = command.map_or_else(|| "gap".into(), |command| self.name(command));
            deliveries.entry(terminal.to_string()).or_default().push(words);
        }
        StepResult { answer, deliveries, events }
    }

    /// Whether nothing is left to do for the sessions.
    pub fn is_idle(&self) -> bool {
        self.nodes.iter().all(|node| node.sessions.pending.load(Ordering::SeqCst) == 0)
    }
}
