//! soketto, on tokio-rustls.

use hyper::Uri;
use others::{line, say, text};
use serde_json::json;
use soketto::handshake::client::Header;
use soketto::handshake::{Client, ServerResponse};
use soketto::{Data, Incoming};
use tokio_util::compat::TokioAsyncReadCompatExt;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url: Uri = others::url().parse().expect("a URL");
    let (name, value) = others::header();
    let (headers, protocols): (Vec<_>, Vec<_>) = match name {
        "authorization" => (vec![Header { name, value: value.as_bytes() }], Vec::new()),
        _ => (Vec::new(), value.split(", ").collect()),
    };
    let line = line::connect(&url).await.compat();
    let host = url.authority().expect("a host").as_str();
    let mut client = Client::new(line, host, url.path_and_query().expect("a path").as_str());
    client.set_headers(&headers);
    for protocol in protocols {
        client.add_protocol(protocol);
    }
    match client.handshake().await {
        Ok(ServerResponse::Accepted { .. }) => {}
        Ok(ServerResponse::Rejected { status_code } | ServerResponse::Redirect { status_code, .. }) => {
            return say("refused", json!({"status": status_code, "body": null}));
        }
        Err(error) => return say("error", json!({"text": error.to_string()})),
    }
    say("open", json!({}));
    let (mut sender, mut receiver) = client.into_builder().finish();
    let mut answer = Some("hello".to_owned());
    loop {
        if let Some(answer) = answer.take() {
            // What the node closes is told by the next read.
            let _ = sender.send_text(answer).await;
            let _ = sender.flush().await;
        }
        let mut message = Vec::new();
        match receiver.receive(&mut message).await {
            Ok(Incoming::Data(Data::Text(_))) => answer = text(&String::from_utf8_lossy(&message)),
            Ok(Incoming::Closed(close)) => {
                return say("close", json!({"code": close.code, "reason": close.descr}));
            }
            Ok(_) => {}
            Err(error) => return say("error", json!({"text": error.to_string()})),
        }
    }
}
