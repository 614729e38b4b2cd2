//! tokio-tungstenite: a task for each connection, with a channel from which it writes.   tungstenite PORT

use std::{cell::RefCell, rc::Rc};

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{LocalSet, spawn_local},
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{Message, Utf8Bytes},
};

/// The channels of all connections.
type Terminals = Rc<RefCell<Vec<mpsc::Sender<Utf8Bytes>>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).expect("tungstenite PORT");
    LocalSet::new().run_until(listen(port)).await;
}

async fn listen(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let terminals = Terminals::default();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            spawn_local(connection(stream, terminals.clone()));
        }
    }
}

async fn connection(stream: TcpStream, terminals: Terminals) {
    let mut method = [0; 4];
    let _ = (stream.set_nodelay(true), stream.peek(&mut method).await);
    if method == *b"POST" {
        let service = service_fn(move |request| post(request, terminals.clone()));
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    } else if let Ok(socket) = accept_async(stream).await {
        serve(socket, terminals).await;
    }
}

async fn serve(socket: WebSocketStream<TcpStream>, terminals: Terminals) {
    let (sender, mut messages) = mpsc::channel(1024);
    terminals.borrow_mut().push(sender);
    let (mut writer, mut reader) = socket.split();
    loop {
        tokio::select! {
            read = reader.next() => if !matches!(read, Some(Ok(_))) { return },
            message = messages.recv() => {
                let Some(text) = message else { return };
                if writer.send(Message::Text(text)).await.is_err() { return }
            }
        }
    }
}

async fn post(request: Request<Incoming>, terminals: Terminals) -> hyper::Result<Response<Full<Bytes>>> {
    let body = request.into_body().collect().await?.to_bytes();
    let text = Utf8Bytes::from(String::from_utf8_lossy(&body).into_owned());
    terminals.borrow_mut().retain(|terminal| terminal.try_send(text.clone()).is_ok());
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::ACCEPTED;
    Ok(answer)
}
