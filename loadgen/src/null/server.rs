//! A server that does nothing but deliver: what is posted to it, or said by a raw terminal, goes to all; what is posted to
//! `/v1/commands` goes to whom it is for. It is the floor under every figure. Told to, it makes one mistake on purpose, and the instrument
//! must find that one among all deliveries.

use std::{
    net::SocketAddr,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    Selector,
    api::CommandRequest,
    frame::{Command, FromNode, Welcome},
};
use tokio::net::{TcpListener, TcpStream, tcp::OwnedWriteHalf};

use super::door::{self, Guest, Said};

/// One mistake, made with one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    what: Mistake,
    /// Which delivery, from 1.
    at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    Drop,
    Repeat,
    Swap,
    Corrupt,
    /// The next command to one terminal goes to another one.
    Misdeliver,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "a fault is drop:N, repeat:N, swap:N, corrupt:N or misdeliver:N".to_owned();
        let (what, at) = text.split_once(':').ok_or_else(bad)?;
        let what = match what {
            "drop" => Mistake::Drop,
            "repeat" => Mistake::Repeat,
            "swap" => Mistake::Swap,
            "corrupt" => Mistake::Corrupt,
            "misdeliver" => Mistake::Misdeliver,
            _ => return Err(bad()),
        };
        Ok(Self { what, at: at.parse().map_err(|_| bad())? })
    }
}

/// One terminal.
struct Seat {
    guest: Guest,
    writer: OwnedWriteHalf,
    /// A frame that is swapped with the next.
    held: Option<Vec<u8>>,
}

/// All of them.
#[derive(Default)]
struct Hall {
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    seats: Vec<Seat>,
    fault: Option<Fault>,
    delivered: u64,
    ids: u64,
    /// Each message is delivered so much later than the one before.
    drag: Duration,
    messages: u32,
}

/// Serves until the process ends, and says where: `ready on IP:PORT`. Each message takes `drag` longer than the one before it, so that
/// the latencies to be measured are known.
pub async fn serve(listen: SocketAddr, fault: Option<Fault>, drag: Duration) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        rustix::process::Rlimit { current: limit.maximum, ..limit }
    })?;
    println!("ready on {}", listener.local_addr()?);
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
    if let Ok(guest) = door::agree(&mut stream, &head).await {
        let _ = attend(stream, guest, &hall).await;
    }
}

/// One terminal, until it leaves.
async fn attend(stream: TcpStream, guest: Guest, hall: &Hall) -> std::io::Result<()> {
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
            // A raw terminal speaks to all; one of muster.v1 acknowledges.
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

impl Hall {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn command(&self, command: &CommandRequest) -> StatusCode {
        let text: String = serde_json::from_str(command.payload.as_json()).unwrap_or_default();
        match &command.target {
            Selector::All => self.deliver(None, &text),
            Selector::Terminal(id) => self.deliver(Some(id.as_str()), &text),
            _ => return StatusCode::BAD_REQUEST,
        }
        StatusCode::ACCEPTED
    }

    fn deliver(&self, to: Option<&str>, text: &str) {
        let mut hall = self.seats();
        let (frames, again) = (hall.frames(text), hall.frames(text));
        let Seats { seats, fault, delivered, .. } = &mut *hall;
        let count = seats.len();
        for at in 0..count {
            if to.is_some_and(|to| to != seats[at].guest.id) {
                continue;
            }
            *delivered += 1;
            let due = fault.filter(|fault| *delivered >= fault.at).map(|fault| fault.what);
            let mistake = due.filter(|what| *what != Mistake::Misdeliver || to.is_some() && count > 1);
            if mistake.is_some() {
                *fault = None;
            }
            let other = (at + 1) % count;
            match mistake {
                Some(Mistake::Drop) => {}
                Some(Mistake::Repeat) => {
                    seats[at].write(&frames);
                    seats[at].write(&again);
                }
                Some(Mistake::Swap) => seats[at].hold(&frames),
                Some(Mistake::Corrupt) => seats[at].write(&frames.each_ref().map(|frame| corrupt(frame))),
                Some(Mistake::Misdeliver) => seats[other].write(&frames),
                None => seats[at].write(&frames),
            }
        }
    }
}

impl Seats {
    /// Of the next message.
    fn delay(&mut self) -> Duration {
        self.messages += 1;
        self.drag * self.messages
    }

    /// A text as a bare message, and as a command.
    fn frames(&mut self, text: &str) -> [Vec<u8>; 2] {
        let command = FromNode::Command(Command {
            id: self.next_id().parse().expect("a uuid"),
            name: "load".into(),
            payload: serde_json::from_value(text.into()).expect("a string is JSON"),
            expires_at: jiff::Timestamp::now(),
            cursor: None,
            stagger_ms: None,
        });
        [door::encode(1, text.as_bytes()), door::encode(1, command.to_string().as_bytes())]
    }

    fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("00000000-0000-7000-8000-{:012x}", self.ids)
    }
}

impl Seat {
    /// One write, with nothing behind it: who does not read in time misses it, and the instrument says so.
    fn write(&mut self, frames: &[Vec<u8>; 2]) {
        let _ = self.writer.try_write(&frames[usize::from(self.guest.v1)]);
        if let Some(held) = self.held.take() {
            let _ = self.writer.try_write(&held);
        }
    }

    fn hold(&mut self, frames: &[Vec<u8>; 2]) {
        self.held = Some(frames[usize::from(self.guest.v1)].clone());
    }
}

/// One letter of the message's padding, where it hurts nothing but the checksum.
fn corrupt(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let mark = frame.windows(2).position(|pair| pair == b"M1").unwrap_or(0);
    if let Some(letter) = frame.get_mut(mark + 84) {
        *letter = if *letter == b'z' { b'a' } else { b'z' };
    }
    frame
}
