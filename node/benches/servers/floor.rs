//! The floor: a server that does for each delivery what no server can do without, one `write` of a ready frame.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use super::dialect::{Dialect, nothing};

/// How terminals speak to this server, which needs no words.
pub const FLOOR: Dialect = Dialect { request: |_| String::new(), begin: &[], answer: nothing };

/// Serves until the process is killed. The first connection controls the server: it sends the size of the payload, the number of
/// terminals, and then one byte for each request, the number of broadcasts. All other connections are terminals.
pub fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    println!("{}", listener.local_addr().expect("it is bound"));
    let (mut controller, _) = listener.accept().expect("the bench connects");
    let (mut size, mut count) = ([0; 2], [0; 4]);
    controller.read_exact(&mut size).expect("the bench says the size");
    controller.read_exact(&mut count).expect("the bench says the number");
    let mut frame = vec![0x81, 126];
    frame.extend(size);
    frame.resize(4 + u16::from_be_bytes(size) as usize, b'x');
    let terminals: Vec<_> =
        (0..u32::from_be_bytes(count)).map(|_| listener.accept().expect("terminals connect").0).collect();
    walk_when_told(controller, &terminals, &frame);
}

fn walk_when_told(mut controller: TcpStream, terminals: &[TcpStream], frame: &[u8]) {
    let mut walks = [0];
    while controller.read_exact(&mut walks).is_ok() {
        for _ in 0..walks[0] {
            for mut terminal in terminals {
                terminal.write_all(frame).expect("terminals read");
            }
        }
    }
}
