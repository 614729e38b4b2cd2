//! What a terminal sends while it has a session, and what is reported of it.

use data_encoding::BASE64;
use muster_protocol::{
    Payload,
    api::{Protocol, TargetState},
    frame::{Event, FromTerminal, Health, NotRun, Progress, ResultFrame},
};

use super::{Action, InputContext, Machine, TerminalReport};
use crate::{
    end::SessionEnd,
    wire::{self, Message},
};

/// The largest event or will that is stored, in bytes: ten thousand of them are 80 MB.
pub const EVENT_MAX: usize = 8 * 1024;

/// The number of metrics that a health frame may hold. A frame with more is answered with an error.
const METRICS_MAX: usize = 64;

impl Machine {
    pub(super) fn take(&mut self, message: Message, context: &mut InputContext<'_>) {
        if message != Message::Pong {
            context.push(Action::Heard);
        }
        match (message, self.protocol) {
            (Message::Ping(payload), _) => context.push(Action::Send(wire::pong(payload))),
            (Message::Pong, _) => context.push(Action::Ponged),
            (Message::Close(close), _) => self.end(SessionEnd::Left, close.map(Box::new), context),
            (Message::Text(text), Protocol::Plain)
                if let Some(answer) =
                    context.settings.plain_heartbeat.as_ref().and_then(|heartbeat| heartbeat.answer(&text)) =>
            {
                context.push(Action::Send(answer));
            }
            (Message::Text(text), Protocol::Plain) => event("message", Payload::from_text(&text), context),
            (Message::Binary(bytes), Protocol::Plain) => {
                event("binary", Payload::from_text(&BASE64.encode(&bytes)), context);
            }
            (Message::Text(text), Protocol::V1) => self.take_frame(&text, context),
            (Message::Binary(_), Protocol::V1) => self.end(SessionEnd::Protocol, None, context),
        }
    }

    fn take_frame(&mut self, text: &str, context: &mut InputContext<'_>) {
        match FromTerminal::decode(text) {
            Ok(FromTerminal::Hello(_)) => self.end(SessionEnd::Protocol, None, context),
            Ok(FromTerminal::Ack(ack)) => {
                context.push(Action::Report(TerminalReport::State(ack.id, TargetState::Acked)))
            }
            Ok(FromTerminal::Progress(Progress { id, payload })) => {
                context.push(Action::Report(TerminalReport::Reply(id, payload)));
                context.push(Action::Report(TerminalReport::State(id, TargetState::Running)));
            }
            Ok(FromTerminal::Result(outcome)) => {
                let state = ended(&outcome);
                // A reply is reported before the state that it led to. The two may be taken in two batches, and whoever sees the
                // state must see the reply.
                context.push(Action::Report(TerminalReport::Reply(outcome.id, outcome.payload)));
                context.push(Action::Report(TerminalReport::State(outcome.id, state)));
            }
            Ok(FromTerminal::Health(health)) => self.take_health(health, context),
            Ok(FromTerminal::Event(Event { name, payload })) => event(&name, payload, context),
            Ok(FromTerminal::Token(frame)) => self.renew(frame, context),
            Err(error) => self.send_error("bad_frame", error.to_string(), context),
        }
    }

    fn take_health(&mut self, health: Health, context: &mut InputContext<'_>) {
        if health.metrics.len() > METRICS_MAX {
            return self.send_error("bad_frame", format!("health.metrics: at most {METRICS_MAX}"), context);
        }
        let was = std::mem::replace(&mut self.condition, health.condition);
        context.push(Action::Report(TerminalReport::Health(health, was)));
    }
}

/// An event over the limit is reported without its payload: with its size, under the name `too_large`.
fn event(name: &str, payload: Payload, context: &mut InputContext<'_>) {
    let size = name.len() + payload.as_json().len();
    let fields = if size <= EVENT_MAX {
        vec![("name", Payload::from_text(name)), ("payload", payload)]
    } else {
        vec![("name", Payload::from_text("too_large")), ("bytes", Payload::from_value(&size.into()))]
    };
    context.push(Action::Report(TerminalReport::Event(fields)));
}

fn ended(outcome: &ResultFrame) -> TargetState {
    match (outcome.reason, outcome.ok) {
        (Some(NotRun::Rejected), _) => TargetState::Rejected,
        (Some(NotRun::Expired), _) => TargetState::Expired,
        (None, true) => TargetState::Succeeded,
        (None, false) => TargetState::Failed,
    }
}
