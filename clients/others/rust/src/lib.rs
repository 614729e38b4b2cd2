//! What each program of this folder is told, and what it prints: one JSON object a line.

pub mod line;

use serde_json::{Value, json};

/// Where to connect.
pub fn url() -> String {
    std::env::args().nth(1).expect("URL")
}

/// The header with the token, or with what is offered as subprotocols.
pub fn header() -> (&'static str, String) {
    let token = std::env::var("TOKEN").expect("TOKEN");
    match std::env::var("HEAD").as_deref() {
        Ok("subprotocol") => ("sec-websocket-protocol", format!("muster.plain, muster.bearer.{token}")),
        _ => ("authorization", format!("Bearer {token}")),
    }
}

/// Prints what the library told.
pub fn say(saw: &str, mut fields: Value) {
    fields["saw"] = saw.into();
    println!("{fields}");
}

/// Prints a message, and returns what is to be sent in answer, if anything is.
pub fn text(message: &str) -> Option<String> {
    let beginning: String = message.chars().take(64).collect();
    say("text", json!({"size": message.len(), "text": beginning}));
    let count = message.strip_prefix("send ")?.parse().ok()?;
    Some("x".repeat(count))
}
