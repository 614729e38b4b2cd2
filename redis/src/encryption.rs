//! TLS to a server, and the errors of connecting. When one side speaks TLS and the other does not, the server mostly
//! says nothing. So this asks the server in the other way, and the error says what is wrong.

use std::{error::Error as _, io, net::SocketAddr, sync::Arc, time::Duration};

use muster_net::{ConnectError, Stream, Tls, TlsFault};
use redis::{ConnectionAddr, ErrorKind, RedisError, RedisResult};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout_at},
};

/// How long a server may be silent in the TLS handshake. After this time it is asked whether it speaks Redis without
/// TLS.
const SILENCE: Duration = Duration::from_millis(400);

/// Does the TLS handshake with the server at `host`.
pub async fn encrypt(tls: &Tls, host: &str, tcp: TcpStream, deadline: Instant) -> RedisResult<Stream> {
    let peer = tcp.peer_addr()?;
    tokio::select! {
        done = tls.handshake(host, tcp, deadline) => match done {
            Ok(stream) => Ok(stream),
            Err(error) if is_other_protocol(&error) && speaks_redis(peer, deadline).await => Err(wants_no_tls(peer)),
            Err(error) => Err(unconnected(error)),
        },
        () = silent_redis(peer, deadline) => Err(wants_no_tls(peer)),
    }
}

/// Returns the error of a failed connection. If it will not pass by itself, it has a kind for which
/// [`will_pass`](crate::will_pass) is false.
pub fn unconnected(error: ConnectError) -> RedisError {
    let kind = match &error {
        ConnectError::Tls(_, fault) if !fault.will_pass() => {
            return lasting("TLS failed", format!("{error}{}", advice(fault)));
        }
        ConnectError::Late(_) | ConnectError::Tls(..) => io::ErrorKind::TimedOut,
        ConnectError::Refused(_, error) | ConnectError::Lookup(_, error) => error.kind(),
        ConnectError::NoAddress(_) => io::ErrorKind::AddrNotAvailable,
    };
    io::Error::new(kind, error.to_string()).into()
}

/// Returns an error of the first answers. If it comes from TLS, makes it one that lasts: the server refuses the
/// client's certificate after the handshake.
pub fn explained(error: RedisError) -> RedisError {
    match tls_fault(&error) {
        Some(fault) => lasting("TLS failed", format!("{fault}{}", advice(fault))),
        None => error,
    }
}

/// Returns the error of a server that does not answer.
pub fn late(address: &ConnectionAddr) -> RedisError {
    io::Error::new(io::ErrorKind::TimedOut, format!("{address} did not answer in time")).into()
}

/// Returns the error of a connection without TLS to a port that speaks TLS.
pub fn wants_tls(peer: SocketAddr) -> RedisError {
    lasting("TLS is missing", format!("{peer} speaks TLS; write rediss:// instead of redis:// in --redis"))
}

fn wants_no_tls(peer: SocketAddr) -> RedisError {
    lasting(
        "TLS failed",
        format!("{peer} does not speak TLS; write redis:// instead of rediss:// in --redis, or give the port for TLS"),
    )
}

/// Returns which flag may mend this fault.
fn advice(fault: &TlsFault) -> &'static str {
    match fault {
        TlsFault::Untrusted => "; give the certificate of the CA that has with --redis-ca",
        TlsFault::Refused(_) => "; such a certificate is given with --redis-cert and --redis-key",
        _ => "",
    }
}

fn lasting(what: &'static str, why: String) -> RedisError {
    (ErrorKind::InvalidClientConfig, what, why).into()
}

fn tls_fault(error: &RedisError) -> Option<&TlsFault> {
    // The redis crate gives as the source the pointer to the error.
    let source = error.source()?.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>()?;
    source.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

fn is_other_protocol(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Tls(_, TlsFault::NotTls | TlsFault::Ended(_)))
}

/// Completes if the server has been silent for a while, and then answers Redis without TLS.
async fn silent_redis(peer: SocketAddr, deadline: Instant) {
    sleep(SILENCE).await;
    if !speaks_redis(peer, deadline).await {
        std::future::pending().await
    }
}

/// Returns whether the server answers a command of Redis, maybe by an error.
async fn speaks_redis(peer: SocketAddr, deadline: Instant) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(peer).await.ok()?;
        stream.write_all(b"PING\r\n").await.ok()?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.ok()?;
        Some(answer)
    };
    timeout_at(deadline, asked).await.ok().flatten().is_some_and(|answer| answer[0] == b'-' || answer == *b"+PONG")
}
