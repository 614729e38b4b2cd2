//! Carries out what a machine asks for.

use jiff::Timestamp;

use super::driver::Driver;
use crate::{
    backplane::encode,
    end::{EndReport, SessionEnd},
    hub::SessionAddr,
    reports::EventReceipt,
    session::machine::{Action, TerminalReport},
    shard::{SessionWaker, WriteBatch},
    wire::ReceivedClose,
};

impl Driver {
    pub(super) fn carry_out(&mut self, action: Action) {
        match action {
            Action::Enter(labels) => {
                let waker = SessionWaker::new(self.shard.work.clone(), self.key);
                self.connection.enter(labels, waker, &self.shard);
                self.enter_hub();
            }
            Action::Abandon => self.call = None,
            Action::Pause => self.shard.shared.metrics.reads_paused.inc(),
            Action::End(end, received) => self.end(end, received.as_deref()),
            Action::SendLast(frame) => self.connection.send_last(&frame, &self.shard),
            Action::ShutDown => self.connection.shut_down(),
            // The connection is closed when the driver is dropped. That happens once the session has left the registry
            // too.
            Action::Done => {}
            action => self.carry_out_established(action),
        }
    }

    /// Carries out an action that needs the session to be in its lane.
    fn carry_out_established(&mut self, action: Action) {
        let Some(entry) = self.connection.entry() else { return };
        let (socket, shard) = (&entry.socket, &self.shard);
        match action {
            Action::Join(call) => self.join(*call, socket.info.clone()),
            Action::Fetch(ids) => self.fetch(ids, socket.info.clone()),
            Action::Send(frame) => drop(socket.write(&WriteBatch::bare(frame))),
            Action::SendMissed(frame) => {
                let encoded = encode(socket.info.partition, frame.command, &frame.cursor, frame.to_all);
                shard.sockets.send_missed(socket, &encoded);
            }
            Action::Release(number) => shard.sockets.release(socket, number),
            Action::Heard => socket.record_message(),
            Action::Ponged => {
                if let Some(rtt_ms) = socket.record_pong() {
                    shard.shared.reports.pong(&socket.info.terminal, rtt_ms);
                }
            }
            Action::SetExpiry(expires) => {
                shard.sockets.set_expiry(entry.key, expires);
                self.live_by_token();
            }
            Action::Report(report) => self.report(report),
            _ => {}
        }
    }

    /// Enters the session into the hub. If the hub had another session of this terminal, remembers the older of the
    /// two, which must end before this session registers.
    fn enter_hub(&mut self) {
        let Some(entry) = self.connection.entry() else { return };
        let info = &entry.socket.info;
        let addr = SessionAddr { shard: self.shard.index, key: entry.key, session: info.session };
        self.older = self.shard.shared.hub.insert(info.clone(), addr).map(Box::new);
        self.live_by_token();
    }

    /// Records in the hub the token that was verified last, so that a revocation finds the session. Checks the
    /// revocations again: one may have come after the token was verified and before the hub had the token.
    fn live_by_token(&mut self) {
        let (Some(entry), Some(token)) = (self.connection.entry(), self.token.take()) else { return };
        let (info, shared) = (&entry.socket.info, &self.shard.shared);
        shared.hub.set_token(&info.terminal, info.session, token.clone());
        if shared.auth.revocations().cover(&token, Timestamp::now()) {
            let addr = SessionAddr { shard: self.shard.index, key: entry.key, session: info.session };
            self.shard.sockets.end(addr, SessionEnd::TokenRevoked);
        }
    }

    /// Takes the session out of the hub, the registry and its lane. The session leaves the lane before the close frame
    /// is sent, because nothing may follow a close frame.
    fn end(&mut self, end: SessionEnd, received: Option<&ReceivedClose>) {
        let report = EndReport::new(end, self.connection.protocol(), received);
        self.shard.count_end(self.connection.terminal(), &report);
        if let Some(info) = self.connection.leave_lane() {
            self.shard.shared.hub.remove(&info.terminal, info.session);
            self.leave(info, report);
        }
    }

    fn report(&self, report: TerminalReport) {
        let (reports, terminal) = (&self.shard.shared.reports, self.connection.terminal());
        match report {
            TerminalReport::State(command, state) => reports.state(command, state, terminal.clone()),
            TerminalReport::Reply(command, payload) => reports.reply(command, terminal.clone(), payload),
            TerminalReport::EventWithId(id, fields) => {
                let Some(entry) = self.connection.entry() else { return };
                let receipt = EventReceipt { session: entry.socket.info.session, id };
                reports.event_with_receipt(terminal, fields, receipt);
            }
            TerminalReport::Event(fields) => reports.event("terminal.event", terminal, fields),
            TerminalReport::Health(health, was) => reports.health(terminal, health, was),
        }
    }

    /// Verifies a token of the terminal, as a handshake does. Returns when the token expires (`None` for never), or a
    /// text that says why it is refused. The text does not repeat the token.
    pub(super) fn verify(&mut self, token: &str) -> Result<Option<u64>, String> {
        let terminal = self.connection.terminal().clone();
        let verified = self.shard.shared.auth.terminal(Some(token), Some(terminal));
        let verified = verified.map_err(|error| error.to_string())?;
        self.token = verified.token;
        Ok(verified.expires)
    }
}
