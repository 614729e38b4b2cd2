//! What a terminal sends while it has a session, and what the node reports of that.

use data_encoding::BASE64;
use muster_protocol::{
    Payload,
    api::{Protocol, TargetState},
    frame::{EVENT_MAX, Event, FromTerminal, Health, NotRun, Progress, ResultFrame, TOO_LARGE},
};

use super::{Action, InputContext, Machine, TerminalReport};
use crate::{
    end::SessionEnd,
    wire::{self, Message},
};

/// The longest id of an event, in bytes.
const EVENT_ID_MAX: usize = 64;

/// The number of metrics that a health frame may hold. The node answers a frame with more with an error.
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
            (Message::Text(text), Protocol::Plain) if context.settings.echo => {
                context.push(Action::Send(wire::text(&text)));
            }
            (Message::Binary(bytes), Protocol::Plain) if context.settings.echo => {
                context.push(Action::Send(wire::binary(&bytes)));
            }
            (Message::Text(text), Protocol::Plain)
                if let Some(answer) =
                    context.settings.plain_heartbeat.as_ref().and_then(|heartbeat| heartbeat.answer(&text)) =>
            {
                context.push(Action::Send(answer));
            }
            (Message::Text(text), Protocol::Plain) => {
                report(Event { id: None, name: "message".into(), payload: Payload::from_text(&text) }, context);
            }
            (Message::Binary(bytes), Protocol::Plain) => {
                let payload = Payload::from_text(&BASE64.encode(&bytes));
                report(Event { id: None, name: "binary".into(), payload }, context);
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
                // The reply is reported before the state that it led to: the backplane may take the two in two batches,
                // and whoever sees the state must see the reply.
                context.push(Action::Report(TerminalReport::Reply(outcome.id, outcome.payload)));
                context.push(Action::Report(TerminalReport::State(outcome.id, state)));
            }
            Ok(FromTerminal::Health(health)) => self.take_health(health, context),
            Ok(FromTerminal::Event(event)) => self.take_event(event, context),
            Ok(FromTerminal::Token(frame)) => self.renew(frame, context),
            Err(error) => self.send_error("bad_frame", error.to_string(), context),
        }
    }

    /// Reports an event. If the event is too large, tells the terminal, which would not learn it from anything else.
    fn take_event(&self, event: Event, context: &mut InputContext<'_>) {
        if event.id.as_ref().is_some_and(|id| !(1..=EVENT_ID_MAX).contains(&id.len())) {
            let message = format!("event.id: 1 to {EVENT_ID_MAX} bytes; the event was not taken");
            return self.send_error("bad_frame", message, context);
        }
        let size = event.size();
        report(event, context);
        if size > EVENT_MAX {
            let message = format!(
                "event: name and payload have {size} bytes, at most {EVENT_MAX} are stored; the size of this event was recorded, and nothing else"
            );
            self.send_error(TOO_LARGE, message, context);
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

/// Reports an event. An event over the limit is reported under the name `too_large`, with its size and the limit in
/// place of its payload.
fn report(event: Event, context: &mut InputContext<'_>) {
    let (size, id) = (event.size(), event.id);
    let fields: Vec<_> = if size <= EVENT_MAX {
        let told = id.as_ref().map(|id| ("id", Payload::from_text(id)));
        let event = [("name", Payload::from_text(&event.name)), (event.payload.field(), event.payload)];
        event.into_iter().chain(told).collect()
    } else {
        let number = |number: usize| Payload::from_value(&number.into());
        vec![("name", Payload::from_text("too_large")), ("bytes", number(size)), ("limit", number(EVENT_MAX))]
    };
    context.push(Action::Report(match id.filter(|_| size <= EVENT_MAX) {
        Some(id) => TerminalReport::EventWithId(id, fields),
        None => TerminalReport::Event(fields),
    }));
}

fn ended(outcome: &ResultFrame) -> TargetState {
    match (outcome.reason, outcome.ok) {
        (Some(NotRun::Rejected), _) => TargetState::Rejected,
        (Some(NotRun::Expired), _) => TargetState::Expired,
        (None, true) => TargetState::Succeeded,
        (None, false) => TargetState::Failed,
    }
}
