//! A connection whose cable is cut, without a cable and without root.

use std::io;

use socket2::{SockFilter, SockRef};
use tokio::net::TcpStream;

/// The instruction of a socket filter that ends the filter and says how many bytes of the packet are kept
/// (`BPF_RET | BPF_K`).
const BPF_RETURN: u16 = 0x06;

/// Has the kernel drop each packet that comes for this connection.
pub fn cut(tcp: &TcpStream) -> io::Result<()> {
    SockRef::from(tcp).attach_filter(&[SockFilter::new(BPF_RETURN, 0, 0, 0)])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_is_cut_hears_nothing_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(to), listener.accept());
        let (client, server) = (client.unwrap(), server.unwrap().0);
        let heard = || client.try_read(&mut [0; 8]).ok();
        server.try_write(b"before").unwrap();
        client.readable().await.unwrap();
        assert_eq!(heard(), Some(6));
        cut(&client).unwrap();
        server.try_write(b"after").unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(heard(), None);
    }
}
