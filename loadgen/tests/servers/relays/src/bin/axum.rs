//! axum, as its example of a chat: a task for each connection waits for its socket and for a broadcast channel.   axum PORT

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    http::StatusCode,
    response::Response,
    routing::get,
};
use tokio::{net::TcpListener, sync::broadcast};

type Messages = broadcast::Sender<Utf8Bytes>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).expect("axum PORT");
    let (messages, _) = broadcast::channel(1024);
    let routes = Router::new().route("/", get(connect).post(post)).with_state(messages);
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    axum::serve(listener, routes).await.expect("it serves until it is killed");
}

async fn connect(State(messages): State<Messages>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| serve(socket, messages))
}

async fn post(State(messages): State<Messages>, text: String) -> StatusCode {
    let _ = messages.send(text.into());
    StatusCode::ACCEPTED
}

async fn serve(mut socket: WebSocket, messages: Messages) {
    let mut messages = messages.subscribe();
    loop {
        tokio::select! {
            read = socket.recv() => if !matches!(read, Some(Ok(_))) { return },
            message = messages.recv() => {
                let Ok(text) = message else { return };
                if socket.send(Message::Text(text)).await.is_err() { return }
            }
        }
    }
}
