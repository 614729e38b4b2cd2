//! A process that can open no more files, which is this one: it is the only test here.

use std::{fs, io::Write, net::TcpStream};

use muster_net::accept::{Acceptor, out_of_files};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{io::AsyncReadExt, net::TcpListener};

/// Allows no descriptor beyond those that are open.
fn allow_no_more_files() -> Rlimit {
    let before = getrlimit(Resource::Nofile);
    let numbers =
        fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let open: Vec<u64> = numbers.collect();
    let (most, mut fill) = (open.iter().max().unwrap() + 1, Vec::new());
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..before }).unwrap();
    while let Ok(file) = fs::File::open("/dev/null") {
        fill.push(file);
    }
    std::mem::forget(fill);
    before
}

#[tokio::test]
async fn without_descriptors_connections_are_accepted_one_after_the_other_and_then_as_before() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut acceptor = Acceptor::new(listener);
    let mut clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    clients.iter_mut().for_each(|client| client.write_all(b"x").unwrap());
    let before = allow_no_more_files();
    assert!(out_of_files());
    for _ in 0..2 {
        let mut accepted = acceptor.accept().await.unwrap();
        assert!(accepted.is_last && accepted.stream.read_u8().await.unwrap() == b'x');
    }
    setrlimit(Resource::Nofile, before).unwrap();
    assert!(!out_of_files() && !acceptor.accept().await.unwrap().is_last);
}
