//! Commands in memory: accepts them and looks them up as Redis does (accept.lua).
//! [`stored_command`](super::stored_command) says how they are stored.

use async_trait::async_trait;
use muster_protocol::{
    CommandId, Payload, Selector, TerminalId,
    api::{CommandRequest, DryRun, Offline, TargetState},
    frame,
};

use super::{MemoryBackplane, Store};
use crate::backplane::{
    Accepted, BackplaneError, CommandDraft, CommandRecord, CommandStore, TargetRecord,
    envelope::{Audience, Delivery, Envelope},
};

#[async_trait]
impl CommandStore for MemoryBackplane {
    async fn accept(&self, draft: CommandDraft) -> Result<Accepted, BackplaneError> {
        let mut store = self.store();
        if let Some(key) = &draft.key
            && let Some((_, body, id)) = store.commands.keys.get(&key.key)
        {
            return if *body == key.body { Ok(Accepted::Before(*id)) } else { Err(BackplaneError::OtherBody(*id)) };
        }
        let (targets, _) = store.resolve(&draft.request)?;
        let to_all = draft.request.target == Selector::All && draft.request.rate.is_none();
        store.commands.make_room(targets.len() as u64, &self.bounds)?;
        if !to_all {
            store.commands.check_backlogs(&targets, self.bounds.backlog)?;
        }
        let number = store.number + 1;
        let audience = if to_all { Audience::All } else { Audience::Terminals(targets.clone()) };
        self.send(Envelope::Deliver(Delivery {
            epoch: self.epoch.clone(),
            number,
            prev: store.commands.broadcast,
            to: audience,
            rate: draft.request.rate,
            command: draft.frame.clone(),
        }))?;
        store.number = number;
        Ok(Accepted::New(store.commands.keep(draft, number, to_all, targets, &self.bounds)))
    }

    async fn estimate(&self, request: &CommandRequest) -> Result<DryRun, BackplaneError> {
        let (targets, online) = self.store().resolve(request)?;
        Ok(DryRun { targets: targets.len() as u64, online })
    }

    async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        Ok(self.store().commands.find(&id).map(|stored| stored.record.clone()))
    }

    async fn targets(&self, id: CommandId) -> Result<Vec<(TerminalId, TargetRecord)>, BackplaneError> {
        let store = self.store();
        let stored = store.commands.find(&id).map(|stored| stored.targets.iter());
        let cloned = stored.into_iter().flatten().map(|(terminal, target)| (terminal.clone(), target.clone()));
        let mut targets: Vec<_> = cloned.collect();
        targets.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        Ok(targets)
    }

    async fn replies(&self, id: CommandId, terminals: &[TerminalId]) -> Result<Vec<Option<Payload>>, BackplaneError> {
        let store = self.store();
        let stored = store.commands.find(&id);
        Ok(terminals.iter().map(|terminal| stored?.replies.get(terminal).cloned()).collect())
    }

    async fn frames(&self, _: &TerminalId, ids: &[CommandId]) -> Result<Vec<Option<frame::Command>>, BackplaneError> {
        let store = self.store();
        let stored = ids.iter().map(|id| store.commands.find(id).filter(|stored| !stored.record.cancelled));
        Ok(stored.map(|stored| stored.map(|stored| stored.record.frame.clone())).collect())
    }

    async fn cancel(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        let mut store = self.store();
        let Store { commands, events, .. } = &mut *store;
        let Some(stored) = commands.find_mut(&id) else { return Ok(None) };
        let queued = stored.record.counts.get(&TargetState::Queued).is_some_and(|queued| *queued > 0);
        if queued && stored.is_live(self.clock.now()) {
            self.send(Envelope::Cancel { command: id })?;
            stored.record.cancelled = true;
            events.push("command.state", format!(r#"{{"command":"{id}","state":"cancelled"}}"#));
        }
        Ok(Some(stored.record.clone()))
    }
}

impl Store {
    /// The terminals that a request is for, and the number of them that are online.
    fn resolve(&self, request: &CommandRequest) -> Result<(Vec<TerminalId>, u64), BackplaneError> {
        let named = match &request.target {
            Selector::Terminal(id) => Some(std::slice::from_ref(id)),
            Selector::Terminals(ids) => Some(&ids[..]),
            Selector::All | Selector::Labels(_) => None,
        };
        let mut targets = match named {
            Some(ids) => ids.to_vec(),
            None => self.terminals.matching(&request.target),
        };
        let unknown: Vec<_> = targets.iter().filter(|id| !self.terminals.is_known(id)).cloned().collect();
        if !unknown.is_empty() {
            return Err(BackplaneError::Unknown(unknown));
        }
        let (online, offline): (Vec<_>, Vec<_>) = targets.iter().cloned().partition(|id| self.terminals.is_online(id));
        let count = online.len() as u64;
        if request.offline == Offline::Skip {
            if named.is_some() && !offline.is_empty() {
                return Err(BackplaneError::Offline(offline));
            }
            targets = online;
        }
        Ok((targets, count))
    }
}
