//! The lines that the program prints for what it saw.

use std::io::{self, Write};

use muster_client::{ConnectionEnd, Incoming, SendError};
use muster_protocol::frame::Command;
use serde_json::{Value, json};

/// Prints a line. The kit reads them; if it does not any more, there is nobody to tell.
pub fn print(line: &Value) {
    let _ = writeln!(io::stdout(), "{line}").and_then(|()| io::stdout().flush());
}

/// The line for a report of the client. None for what the kit does not ask for.
pub fn line_of(report: &Incoming) -> Option<Value> {
    Some(match report {
        Incoming::Online { welcome, .. } => {
            json!({ "saw": "open", "resumed": welcome.as_ref().is_some_and(|welcome| welcome.resumed) })
        }
        Incoming::Command { command, .. } => line_of_command(command),
        Incoming::Gap(gap) => json!({ "saw": "gap", "from": gap.from, "to": gap.to }),
        Incoming::Error(error) => json!({ "saw": "error", "code": error.code }),
        Incoming::EventStored(id) => json!({ "saw": "stored", "id": id }),
        Incoming::NotSent(error) => return too_large(error),
        Incoming::Offline { end: ConnectionEnd::Closed { code, .. }, .. } => json!({ "saw": "close", "code": code }),
        Incoming::Offline { end: ConnectionEnd::Refused { status, .. }, .. } => {
            json!({ "saw": "refused", "status": status })
        }
        Incoming::Offline { end: ConnectionEnd::Lost(_) | ConnectionEnd::Silent, .. } => {
            json!({ "saw": "close", "code": 1006 })
        }
        Incoming::Offline { .. } => json!({ "saw": "refused" }),
        Incoming::Gone(_) => json!({ "saw": "gone" }),
        Incoming::Text { .. }
        | Incoming::Binary { .. }
        | Incoming::Repeated(_)
        | Incoming::Expired(_)
        | Incoming::TokenUnavailable(_) => return None,
    })
}

/// The line for a command that the program is given.
pub fn line_of_command(command: &Command) -> Value {
    let mut line = json!({ "saw": "command", "id": command.id, "name": command.name });
    // Bytes are in base64, as a JSON text.
    line[command.payload.field()] = serde_json::from_str(command.payload.as_json()).unwrap_or_default();
    line
}

/// The line for what was not sent since it is too large.
pub fn too_large(error: &SendError) -> Option<Value> {
    match error {
        SendError::TooLarge { bytes, limit } | SendError::EventTooLarge { bytes, limit } => {
            Some(json!({ "saw": "too_large", "bytes": bytes, "limit": limit }))
        }
        SendError::Gone | SendError::OtherProtocol => None,
    }
}
