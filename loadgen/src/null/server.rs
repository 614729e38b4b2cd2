//! A server that does nothing but deliver. It relays to all terminals what is posted to it or sent by a raw
//! terminal, and delivers what is posted to `/v1/commands` to the targets of the command. Its figures are the lower
//! limit of every measurement. On request the server injects one fault, and the load generator must find that fault
//! among all deliveries.

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use muster_protocol::{
    api::CommandRequest,
    frame::{DEFAULT_MAX_MESSAGE, FromNode, Welcome},
};
use tokio::net::{TcpListener, TcpStream};

use super::{
    NullFault,
    fault::NullFaultKind,
    handshake::{self, NullTerminal, TerminalFrame},
    sessions::NullSessions,
};

/// Serves until the process ends, and prints `ready on IP:PORT` once it listens. Each message is delayed by `drag`
/// more than the one before it, so that the latencies to measure are known. Fails if the address can't be bound, the
/// limit of open files can't be raised, or stdout can't be written.
pub async fn serve(listen: SocketAddr, fault: Option<NullFault>, drag: Duration) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        rustix::process::Rlimit { current: limit.maximum, ..limit }
    })?;
    writeln!(io::stdout(), "ready on {}", listener.local_addr()?)?;
    let sessions = Arc::new(NullSessions::default());
    (sessions.state().fault, sessions.state().drag) = (fault, drag);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, sessions.clone()));
    }
}

/// Runs `serve`; if `ends` is set, only until stdin is at its end.
pub async fn until_stdin_ends(ends: bool, serve: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    if !ends {
        return serve.await;
    }
    tokio::select! {
        served = serve => served,
        _ = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin().lock(), &mut io::sink())) => Ok(()),
    }
}

async fn connection(mut stream: TcpStream, sessions: Arc<NullSessions>) {
    let _ = stream.set_nodelay(true);
    let Ok(head) = handshake::head(&stream).await else {
        let _ = handshake::bad_request(&mut stream).await;
        return;
    };
    if !handshake::is_handshake(&head) {
        let service = service_fn(|request| post(request, sessions.clone()));
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        return;
    }
    let id = handshake::terminal_id(&head).unwrap_or_default();
    let mistake = sessions.state().handshake_fault(&id);
    let turned_away = match mistake {
        Some(NullFaultKind::Refuse) => handshake::refuse(&mut stream, &head).await,
        Some(_) => handshake::ignore(&mut stream).await,
        None => return let_in(stream, &head, &sessions).await,
    };
    let _ = turned_away;
}

async fn let_in(mut stream: TcpStream, head: &str, sessions: &NullSessions) {
    if let Ok(terminal) = handshake::accept(&mut stream, head).await {
        let _ = serve_terminal(stream, terminal, sessions).await;
    }
}

/// Serves one terminal until it closes its connection.
async fn serve_terminal(stream: TcpStream, terminal: NullTerminal, sessions: &NullSessions) -> io::Result<()> {
    let (mut reader, writer) = stream.into_split();
    let id = terminal.id.clone();
    if terminal.v1 {
        handshake::frame(&mut reader).await?;
        writer.try_write(&handshake::encode(1, welcome(sessions).as_bytes()))?;
    }
    let address = writer.peer_addr()?;
    sessions.state().add(terminal, writer);
    loop {
        match handshake::frame(&mut reader).await {
            // A raw terminal's text goes to all terminals. A `muster.v1` terminal's texts are acks and results.
            Ok(TerminalFrame::Text(text)) if id.is_empty() => {
                sessions.deliver(None, &text);
                if sessions.state().reads_no_more() {
                    std::future::pending::<()>().await;
                }
            }
            Ok(TerminalFrame::Text(_) | TerminalFrame::Other) => {}
            Ok(TerminalFrame::Close) | Err(_) => break,
        }
    }
    let mut sessions = sessions.state();
    if let Some(at) = sessions.sessions.iter().position(|session| session.writer.peer_addr().ok() == Some(address)) {
        let _ = sessions.sessions.swap_remove(at).writer.try_write(&handshake::encode(8, &1000_u16.to_be_bytes()));
    }
    Ok(())
}

fn welcome(sessions: &NullSessions) -> String {
    FromNode::Welcome(Welcome {
        session: sessions.state().next_id().parse().expect("a uuid"),
        node: "null".parse().expect("a node id"),
        time: jiff::Timestamp::now(),
        ping_ms: 0,
        max_message: DEFAULT_MAX_MESSAGE,
        resumed: false,
        cursor: None,
    })
    .to_string()
}

async fn post(request: Request<Incoming>, sessions: Arc<NullSessions>) -> hyper::Result<Response<Full<Bytes>>> {
    if request.method() != Method::POST {
        let nothing = Response::builder().status(StatusCode::NOT_FOUND);
        return Ok(nothing.body(Full::default()).expect("a status and no body"));
    }
    let command = request.uri().path() == "/v1/commands";
    let body = request.into_body().collect().await?.to_bytes();
    let (delay, answers) = sessions.state().next_message();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let status = match command {
        true => match serde_json::from_slice::<CommandRequest>(&body) {
            Ok(command) => sessions.command(&command),
            Err(_) => StatusCode::BAD_REQUEST,
        },
        false => {
            sessions.deliver(None, &String::from_utf8_lossy(&body));
            StatusCode::ACCEPTED
        }
    };
    if !answers {
        return std::future::pending().await;
    }
    let answer = format!(r#"{{"id":"{}","counts":{{}}}}"#, sessions.state().next_id());
    Ok(Response::builder().status(status).body(Full::from(answer)).expect("a status and a body"))
}
