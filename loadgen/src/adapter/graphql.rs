//! The protocol graphql-transport-ws: one subscription of GraphQL.
//!
//! The protocol confirms no subscription. A ping that follows it stands for one: a server that answers in order has read the
//! subscription when it answers the ping.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{Adapter, Content, Conversation, Heard, Opening, Promise, Publication, Readiness, TerminalIdentity, json};
use crate::{config::AdapterSettings, template::Template};

/// The id of the subscription. Those of mutations are numbers.
const SUBSCRIPTION: &str = "subscription";

/// The adapter for GraphQL. The channel is an operation, such as `subscription { message }`.
#[derive(Debug)]
pub struct Graphql {
    channel: Template,
    publish_to: Template,
    pings: bool,
}

impl Graphql {
    /// The adapter for these settings; the default operation is `subscription { message }`, and to publish
    /// `mutation ($message: String!) { send(message: $message) }`.
    pub fn new(settings: &AdapterSettings) -> Self {
        let channel = settings.channel_or("subscription { message }");
        let publish_to = settings.publish_to_or("mutation ($message: String!) { send(message: $message) }");
        Self { channel, publish_to, pings: !settings.unconfirmed }
    }
}

impl Adapter for Graphql {
    fn promise(&self) -> Promise {
        Promise::at_most_once("graphql", "each message at most once, in order; nothing is acknowledged or replayed")
    }

    fn open(&self, _who: &TerminalIdentity) -> Opening {
        Opening { subprotocol: Some("graphql-transport-ws"), has_credentials: true, ..Opening::default() }
    }

    fn converse(&self, who: &TerminalIdentity, _resume: Option<String>) -> Box<dyn Conversation> {
        Box::new(GraphqlSession {
            query: who.fill(&self.channel),
            mutation: who.fill(&self.publish_to),
            token: who.token.clone(),
            pings: self.pings,
        })
    }
}

struct GraphqlSession {
    query: String,
    mutation: String,
    token: Option<String>,
    pings: bool,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(default)]
    payload: Value,
}

impl Conversation for GraphqlSession {
    fn on_open(&mut self, heard: &mut dyn FnMut(Heard<'_>)) {
        let mut init = json!({ "type": "connection_init" });
        if let Some(token) = &self.token {
            init["payload"] = json!({ "Authorization": format!("Bearer {token}") });
        }
        heard(Heard::Reply(json(&init)));
    }

    fn on_frame(&mut self, frame: &Message, heard: &mut dyn FnMut(Heard<'_>)) {
        let Message::Text(text) = frame else { return heard(Heard::Greeting) };
        let Ok(Frame { kind, id, payload }) = serde_json::from_str(text) else { return heard(Heard::Malformed) };
        match &*kind {
            "next" if id == SUBSCRIPTION => next(&payload, heard),
            "connection_ack" => self.acknowledged(heard),
            "ping" => heard(Heard::Reply(json(&json!({ "type": "pong" })))),
            "pong" => heard(Heard::Ready(Readiness::default())),
            "error" | "complete" if id == SUBSCRIPTION => {
                heard(Heard::Refused(format!("the server ended the subscription: {kind} {payload}")));
            }
            "next" | "error" => match id.parse() {
                Ok(number) => heard(Heard::Published(number, accepted(&kind, &payload))),
                Err(_) => heard(Heard::Malformed),
            },
            "complete" => {}
            _ => heard(Heard::Malformed),
        }
    }

    fn publish(&mut self, message: &str, number: u32) -> Publication {
        let payload = json!({ "query": self.mutation, "variables": { "message": message } });
        let frame = json(&json!({ "id": number.to_string(), "type": "subscribe", "payload": payload }));
        Publication { frame, ticket: Some(number) }
    }

    fn resume_state(&mut self) -> Option<String> {
        None
    }
}

impl GraphqlSession {
    fn acknowledged(&mut self, heard: &mut dyn FnMut(Heard<'_>)) {
        let payload = json!({ "query": self.query });
        heard(Heard::Reply(json(&json!({ "id": SUBSCRIPTION, "type": "subscribe", "payload": payload }))));
        if self.pings {
            heard(Heard::Reply(json(&json!({ "type": "ping" }))));
        } else {
            heard(Heard::Ready(Readiness::default()));
        }
    }
}

fn next(payload: &Value, heard: &mut dyn FnMut(Heard<'_>)) {
    match first_text(&payload["data"]) {
        Some(text) => heard(Heard::Payload(Content::Text(Cow::Borrowed(text)), 0)),
        None => heard(Heard::Greeting),
    }
}

/// The first text in a value, however deep it lies.
fn first_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(items) => items.iter().find_map(first_text),
        Value::Object(fields) => fields.values().find_map(first_text),
        _ => None,
    }
}

fn accepted(kind: &str, payload: &Value) -> Result<(), String> {
    let errors = if kind == "error" { Some(payload) } else { payload.get("errors") };
    errors.map_or(Ok(()), |errors| Err(errors.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapter::trial::Trial, config::tests::config};

    fn begun(flags: &str) -> (Trial, Vec<String>) {
        let config = config(&format!("--adapter graphql {flags}"));
        let mut trial = Trial::start(&Graphql::new(&config.adapter), None);
        let init = r#"reply {"payload":{"Authorization":"Bearer token-7"},"type":"connection_init"}"#;
        assert_eq!(trial.opened(), [init]);
        let told = trial.text(r#"{"type":"connection_ack"}"#);
        (trial, told)
    }

    #[test]
    fn a_terminal_is_ready_when_the_ping_after_its_subscription_is_answered() {
        let (mut trial, told) = begun("");
        let subscribe =
            r#"reply {"id":"subscription","payload":{"query":"subscription { message }"},"type":"subscribe"}"#;
        assert_eq!(told, [subscribe, r#"reply {"type":"ping"}"#]);
        assert_eq!(trial.text(r#"{"type":"pong"}"#), ["ready"]);
        let next = r#"{"id":"subscription","type":"next","payload":{"data":{"news":{"n":1,"text":"M1ab"}}}}"#;
        assert_eq!(trial.text(next), ["payload M1ab copy 0"]);
        assert_eq!(trial.text(r#"{"type":"ping"}"#), [r#"reply {"type":"pong"}"#]);
        assert_eq!(begun("--unconfirmed").1[1..], ["ready"]);
    }

    #[test]
    fn a_mutation_publishes_and_its_answer_says_whether_it_was_accepted() {
        let (mut trial, _) = begun("");
        let (frame, ticket) = trial.published("M1", 5);
        assert!(frame.contains(r#""variables":{"message":"M1"}"#) && ticket == Some(5), "{frame}");
        assert_eq!(trial.text(r#"{"id":"5","type":"next","payload":{"data":{"send":true}}}"#), ["published 5"]);
        assert_eq!(trial.text(r#"{"id":"5","type":"complete"}"#), Vec::<String>::new());
        let failed = trial.text(r#"{"id":"6","type":"next","payload":{"errors":[{"message":"no"}]}}"#);
        assert_eq!(failed, [r#"published 6: [{"message":"no"}]"#]);
    }

    #[test]
    fn an_end_of_the_subscription_is_a_refusal() {
        let (mut trial, _) = begun("");
        let told = trial.text(r#"{"id":"subscription","type":"error","payload":[{"message":"no such field"}]}"#);
        assert_eq!(told, [r#"refused: the server ended the subscription: error [{"message":"no such field"}]"#]);
        assert!(trial.text(r#"{"id":"subscription","type":"complete"}"#)[0].starts_with("refused"));
        assert_eq!(trial.text("["), ["malformed"]);
    }
}
