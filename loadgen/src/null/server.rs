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
    Fault,
    door::{self, Guest, Said},
    fault::Mistake,
    hall::{Hall, Seat},
};

/// Serves until the process ends, and prints `ready on IP:PORT` once it listens. Each message is delayed by `drag`
/// more than the one before it, so that the latencies to measure are known. Fails if the address can't be bound, the
/// limit of open files can't be raised, or stdout can't be written.
pub async fn serve(listen: SocketAddr, fault: Option<Fault>, drag: Duration) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        rustix::process::Rlimit { current: limit.maximum, ..limit }
    })?;
    writeln!(io::stdout(), "ready on {}", listener.local_addr()?)?;
    let hall = Arc::new(Hall::default());
    (hall.seats().fault, hall.seats().drag) = (fault, drag);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, hall.clone()));
    }
}

async fn connection(mut stream: TcpStream, hall: Arc<Hall>) {
    let _ = stream.set_nodelay(true);
    let Ok(head) = door::head(&stream).await else { return };
    if !door::is_handshake(&head) {
        let service = service_fn(|request| post(request, hall.clone()));
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        return;
    }
    let id = door::terminal_id(&head).unwrap_or_default();
    let mistake = hall.seats().mistreats(&id);
    let turned_away = match mistake {
        Some(Mistake::Refuse) => door::refuse(&mut stream, &head).await,
        Some(_) => door::ignore(&mut stream).await,
        None => return let_in(stream, &head, &hall).await,
    };
    let _ = turned_away;
}

async fn let_in(mut stream: TcpStream, head: &str, hall: &Hall) {
    if let Ok(guest) = door::agree(&mut stream, head).await {
        let _ = attend(stream, guest, hall).await;
    }
}

/// Serves one terminal until it closes its connection.
async fn attend(stream: TcpStream, guest: Guest, hall: &Hall) -> io::Result<()> {
    let (mut reader, writer) = stream.into_split();
    let id = guest.id.clone();
    if guest.v1 {
        door::frame(&mut reader).await?;
        writer.try_write(&door::encode(1, welcome(hall).as_bytes()))?;
    }
    let address = writer.peer_addr()?;
    hall.seats().seats.push(Seat { guest, writer, held: None });
    loop {
        match door::frame(&mut reader).await {
            // A raw terminal's text goes to all terminals. A `muster.v1` terminal's texts are acks and results.
            Ok(Said::Text(text)) if id.is_empty() => hall.deliver(None, &text),
            Ok(Said::Text(_) | Said::Other) => {}
            Ok(Said::Close) | Err(_) => break,
        }
    }
    let mut seats = hall.seats();
    if let Some(at) = seats.seats.iter().position(|seat| seat.writer.peer_addr().ok() == Some(address)) {
        let _ = seats.seats.swap_remove(at).writer.try_write(&door::encode(8, &1000_u16.to_be_bytes()));
    }
    Ok(())
}

fn welcome(hall: &Hall) -> String {
    FromNode::Welcome(Welcome {
        session: hall.seats().next_id().parse().expect("a uuid"),
        node: "null".parse().expect("a node id"),
        time: jiff::Timestamp::now(),
        ping_ms: 0,
        max_message: DEFAULT_MAX_MESSAGE,
        resumed: false,
        cursor: None,
    })
    .to_string()
}

async fn post(request: Request<Incoming>, hall: Arc<Hall>) -> hyper::Result<Response<Full<Bytes>>> {
    if request.method() != Method::POST {
        let nothing = Response::builder().status(StatusCode::NOT_FOUND);
        return Ok(nothing.body(Full::default()).expect("a status and no body"));
    }
    let command = request.uri().path() == "/v1/commands";
    let body = request.into_body().collect().await?.to_bytes();
    let delay = hall.seats().delay();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let status = match command {
        true => match serde_json::from_slice::<CommandRequest>(&body) {
            Ok(command) => hall.command(&command),
            Err(_) => StatusCode::BAD_REQUEST,
        },
        false => {
            hall.deliver(None, &String::from_utf8_lossy(&body));
            StatusCode::ACCEPTED
        }
    };
    let answer = format!(r#"{{"id":"{}","counts":{{}}}}"#, hall.seats().next_id());
    Ok(Response::builder().status(status).body(Full::from(answer)).expect("a status and a body"))
}
