//! Sockets that are bound to a source address.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use tokio::net::TcpSocket;

/// Returns a TCP socket for a connection to `to`, which comes from `source` if there is one. A source address has
/// 28,000 ports, so a host that opens more connections to one server needs several source addresses. Fails if `source`
/// is not an address of this host, or not of the same family as `to`.
pub fn socket(to: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpSocket> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = source {
        // Without this option the kernel reserves a port at the bind, and no other connection from the same address can
        // use that port.
        #[cfg(target_os = "linux")]
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true)?;
        socket.bind((source, 0).into())?;
    }
    Ok(socket)
}
