//! Commands in memory: accepts them and looks them up as Redis does (accept.lua).
//! [`stored_command`](super::stored_command) says how they are stored.

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, Selector, TerminalId,
    api::{CommandRequest, DryRun, Offline, TargetState},
    frame,
};

use super::{MemoryBackplane, Store};
use crate::backplane::{
    Accepted, BackplaneError, CommandDraft, CommandRecord, TargetRecord,
    envelope::{Audience, Delivery, Envelope},
};

impl MemoryBackplane {
    pub(in crate::backplane) async fn accept(&self, draft: CommandDraft) -> Result<Accepted, BackplaneError> {
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

    pub(in crate::backplane) async fn estimate(&self, request: &CommandRequest) -> Result<DryRun, BackplaneError> {
        let (targets, online) = self.store().resolve(request)?;
        Ok(DryRun { targets: targets.len() as u64, online })
    }

    pub(in crate::backplane) async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        Ok(self.store().commands.kept.get(&id).map(|kept| kept.record.clone()))
    }

    pub(in crate::backplane) async fn targets(
        &self,
        id: CommandId,
    ) -> Result<Vec<(TerminalId, TargetRecord)>, BackplaneError> {
        let store = self.store();
        let targets = store.commands.kept.get(&id).map(|kept| kept.targets.iter());
        Ok(targets.into_iter().flatten().map(|(terminal, target)| (terminal.clone(), target.clone())).collect())
    }

    pub(in crate::backplane) async fn replies(
        &self,
        id: CommandId,
        terminals: &[TerminalId],
    ) -> Result<Vec<Option<Payload>>, BackplaneError> {
        let store = self.store();
        let kept = store.commands.kept.get(&id);
        Ok(terminals.iter().map(|terminal| kept?.replies.get(terminal).cloned()).collect())
    }

    pub(in crate::backplane) async fn frames(
        &self,
        ids: &[CommandId],
    ) -> Result<Vec<Option<frame::Command>>, BackplaneError> {
        let store = self.store();
        Ok(ids.iter().map(|id| store.commands.kept.get(id).map(|kept| kept.record.frame.clone())).collect())
    }

    pub(in crate::backplane) async fn cancel(&self, id: CommandId) -> Result<bool, BackplaneError> {
        let mut store = self.store();
        let Some(kept) = store.commands.kept.get_mut(&id) else { return Ok(false) };
        let queued = kept.record.counts.get(&TargetState::Queued).is_some_and(|queued| *queued > 0);
        if !queued || !kept.is_live(Timestamp::now()) {
            return Ok(true);
        }
        self.send(Envelope::Cancel { command: id })?;
        kept.record.cancelled = true;
        store.events.push("command.state", format!(r#"{{"command":"{id}","state":"cancelled"}}"#));
        Ok(true)
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
