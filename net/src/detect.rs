//! Finds out whether a port speaks TLS. A program that connected without TLS asks this after the server closed the
//! connection. Its error can then say what is wrong instead of what may be wrong.

use std::{net::SocketAddr, sync::Arc};

use rustls::{ClientConnection, RootCertStore};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};

use crate::tls;

/// The first byte of a TLS record that answers a ClientHello: an alert, or a handshake message.
const ANSWERS: [u8; 2] = [0x15, 0x16];

/// Returns whether the server at this address answers the first message of TLS by a message of TLS. False also if the
/// server does not answer before the deadline.
pub async fn speaks_tls(address: SocketAddr, deadline: Instant) -> bool {
    let first = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(&client_hello(address)?).await.ok()?;
        stream.read_u8().await.ok()
    };
    timeout_at(deadline, first).await.ok().flatten().is_some_and(|first| ANSWERS.contains(&first))
}

fn client_hello(address: SocketAddr) -> Option<Vec<u8>> {
    let config = tls::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), address.ip().into()).ok()?;
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).ok()?;
    Some(hello)
}
