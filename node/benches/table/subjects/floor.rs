//! The least that a server does.

use std::{env, process::Command};

use async_trait::async_trait;

use crate::{
    row::FLOOR,
    servers::{
        dialect::{Dialect, PLAIN},
        floor,
        floor_process::FloorServer,
        process::ServerProcess,
        server::Server,
    },
    stage::Subject,
};

/// One `write` of a ready frame for each delivery.
pub struct DeliveryFloor;

#[async_trait(?Send)]
impl Subject for DeliveryFloor {
    fn column(&self) -> &str {
        FLOOR
    }

    fn dialect(&self) -> Dialect {
        floor::FLOOR
    }

    async fn start(&self, terminals: usize) -> Box<dyn Server> {
        Box::new(FloorServer::start(terminals).await)
    }
}

/// One read and a ready answer for each handshake.
pub struct HandshakeFloor;

#[async_trait(?Send)]
impl Subject for HandshakeFloor {
    fn column(&self) -> &str {
        FLOOR
    }

    fn dialect(&self) -> Dialect {
        PLAIN
    }

    async fn start(&self, _terminals: usize) -> Box<dyn Server> {
        let own = env::current_exe().expect("a process knows its program");
        Box::new(ServerProcess::start(Command::new(own).arg("handshake-floor"), ""))
    }
}
