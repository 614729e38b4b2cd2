//! Commands in memory: accepts them and looks them up as the store in Redis does (accept_one.lua, share.lua).
//! [`stored_command`](super::stored_command) says how they are stored.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use muster_protocol::{
    CommandId, Selector, TerminalId,
    api::{CommandRequest, CommandState, DryRun, Offline, TargetState},
    frame,
};

use super::{
    MemoryBackplane, NodeStore,
    bitmap::Bitmap,
    envelope::{Delivery, Envelope},
    stored_command::StoredCommand,
    stored_commands::Selection,
};
use crate::backplane::{
    Accepted, BackplaneError, CommandDraft, CommandQuery, CommandRecord, CommandStore, Cursor, FoundCommands,
    FoundTargets, IdempotencyKey, TargetQuery,
};

#[async_trait]
impl CommandStore for MemoryBackplane {
    async fn accept(&self, draft: CommandDraft) -> Result<Accepted, BackplaneError> {
        let mut store = self.store();
        if let Some(key) = &draft.key
            && let Some((body, id)) = store.commands.keys.find(&key.key)
        {
            return if *body == key.body { Ok(Accepted::Before(*id)) } else { Err(BackplaneError::OtherBody(*id)) };
        }
        let selection = store.select(&draft.request, self.ping)?;
        if selection.targets.count() == 0 {
            return Err(BackplaneError::Nobody);
        }
        let to_all = draft.request.target == Selector::All && draft.request.rate.is_none();
        let NodeStore { ordinals, commands, minutes, number: last, .. } = &mut *store;
        commands.make_room(&draft, &selection, &self.bounds)?;
        if selection.is_named {
            commands.check_backlogs(&selection, ordinals, self.bounds.backlog)?;
        }
        let names = || selection.targets.iter().map(|ordinal| ordinals.name(ordinal).clone()).collect();
        let number = *last + 1;
        self.send(Envelope::Deliver(Delivery {
            place: Cursor { epoch: self.epoch.clone(), number },
            terminals: (!to_all).then(names),
            rate: draft.request.rate,
            command: draft.frame.clone(),
        }))?;
        *last = number;
        minutes.count("accepted", 1);
        Ok(Accepted::New(Box::new(commands.keep(draft, number, to_all, selection, &self.bounds))))
    }

    async fn accepted_under(&self, key: &IdempotencyKey) -> Result<Option<CommandId>, BackplaneError> {
        match self.store().commands.keys.find(&key.key) {
            Some((body, id)) if *body != key.body => Err(BackplaneError::OtherBody(*id)),
            found => Ok(found.map(|(_, id)| *id)),
        }
    }

    async fn estimate(&self, request: &CommandRequest) -> Result<DryRun, BackplaneError> {
        let Selection { targets, online, .. } = self.store().select(request, self.ping)?;
        Ok(DryRun { targets: targets.count(), online })
    }

    async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        Ok(self.store().commands.find(&id).map(StoredCommand::record))
    }

    async fn commands(&self, query: &CommandQuery) -> Result<FoundCommands, BackplaneError> {
        Ok(self.store().list(query))
    }

    async fn targets(&self, id: CommandId, query: &TargetQuery) -> Result<FoundTargets, BackplaneError> {
        self.store().targets(id, query)
    }

    async fn wait(&self, id: CommandId, limit: Duration) {
        let is_done = async {
            let (store, now) = (self.store(), self.clock.now());
            store.commands.find(&id).is_none_or(|stored| stored.record().view(now).state != CommandState::Open)
        };
        self.waiters.wait(id, limit, is_done).await;
    }

    async fn frames(&self, _: &TerminalId, ids: &[CommandId]) -> Result<Vec<Option<frame::Command>>, BackplaneError> {
        let store = self.store();
        let facts = ids.iter().map(|id| store.commands.find(id).map(|stored| &stored.facts));
        let live = facts.map(|facts| facts.filter(|facts| !facts.cancelled));
        Ok(live.map(|facts| facts.map(|facts| facts.frame.clone())).collect())
    }

    async fn cancel(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        let mut store = self.store();
        let NodeStore { commands, events, minutes, .. } = &mut *store;
        let Some(stored) = commands.find_mut(&id) else { return Ok(None) };
        let queued = stored.targets.counts().get(&TargetState::Queued).is_some_and(|queued| *queued > 0);
        if queued && stored.is_live(self.clock.now()) {
            self.send(Envelope::Cancel { command: id })?;
            stored.facts.cancelled = true;
            minutes.count("cancelled", 1);
            events.push("command.state", format!(r#"{{"command":"{id}","state":"cancelled"}}"#));
        }
        let record = stored.record();
        store.tell_if_done(id);
        Ok(Some(record))
    }
}

impl NodeStore {
    /// The terminals that a request is for.
    fn select(&self, request: &CommandRequest, ping: Duration) -> Result<Selection, BackplaneError> {
        let skip = request.offline == Offline::Skip;
        let named = match &request.target {
            Selector::Terminal(id) => Some(std::slice::from_ref(id)),
            Selector::Terminals(ids) => Some(&ids[..]),
            Selector::All | Selector::Labels(_) | Selector::Match(_) => None,
        };
        let selected = match (named, &request.target) {
            (Some(names), _) => Arc::new(self.ordinals_of(names)?),
            (None, Selector::Labels(labels)) => Arc::new(self.terminals.with_labels(labels)),
            (None, Selector::Match(expression)) => Arc::new(self.picked(expression.tree(), ping)?),
            (None, _) => self.ordinals.known().clone(),
        };
        let online = &self.terminals.online;
        if skip && let Some(names) = named {
            let is_offline = |name: &&TerminalId| !self.terminals.is_online(name);
            let offline: Vec<_> = names.iter().filter(is_offline).cloned().collect();
            if !offline.is_empty() {
                return Err(BackplaneError::Offline(offline));
            }
        }
        let count = selected.count_common(online);
        let targets = if skip { Arc::new(selected.intersection(online)) } else { selected };
        Ok(Selection { targets, online: count, is_named: named.is_some() })
    }

    /// The ordinals of terminals, which must all be known.
    fn ordinals_of(&self, names: &[TerminalId]) -> Result<Bitmap, BackplaneError> {
        let unknown: Vec<_> = names.iter().filter(|name| self.ordinals.of(name).is_none()).cloned().collect();
        if !unknown.is_empty() {
            return Err(BackplaneError::Unknown(unknown));
        }
        Ok(names.iter().filter_map(|name| self.ordinals.of(name)).collect())
    }
}
