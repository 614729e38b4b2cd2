//! tungstenite. rustls reads the CA from SSL_CERT_FILE.

use others::{say, text};
use serde_json::json;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Error, Message};

fn main() {
    let mut request = others::url().into_client_request().expect("a URL");
    let (name, value) = others::header();
    request.headers_mut().insert(name, value.parse().expect("a header"));
    let mut session = match tungstenite::connect(request) {
        Ok((session, _)) => session,
        Err(Error::Http(answer)) => {
            let body = answer.body().as_deref().map(String::from_utf8_lossy);
            return say("refused", json!({"status": answer.status().as_u16(), "body": body}));
        }
        Err(error) => return say("error", json!({"text": error.to_string()})),
    };
    say("open", json!({}));
    session.send(Message::text("hello")).expect("sent");
    loop {
        match session.read() {
            Ok(Message::Text(message)) => {
                if let Some(answer) = text(&message) {
                    // What the node closes is told by the next read.
                    let _ = session.send(Message::text(answer));
                }
            }
            Ok(Message::Close(Some(close))) => {
                return say("close", json!({"code": u16::from(close.code), "reason": close.reason.as_str()}));
            }
            Ok(_) => {}
            Err(error) => return say("error", json!({"text": error.to_string()})),
        }
    }
}
