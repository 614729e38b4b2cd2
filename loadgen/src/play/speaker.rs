//! The operator's own connection to a server that sends to all what it hears. Its own messages come back to it; they are read, so
//! that the connection does not fill up, and are nobody's delivery.

use anyhow::{Context, anyhow};
use tokio::sync::{mpsc, oneshot};

use super::{
    fleet,
    socket::{Caller, Socket},
};
use crate::config::Line;

type Order = (String, oneshot::Sender<()>);

/// A handle; its task owns the socket.
pub struct Speaker(mpsc::Sender<Order>);

impl Speaker {
    /// Connects.
    pub async fn start(line: &Line) -> anyhow::Result<Self> {
        let caller: Caller = fleet::speaker(line).await?;
        let socket = caller.dial(&caller.doors[0], None).await.context("the connection that sends")?;
        let (orders, ordered) = mpsc::channel(64);
        tokio::spawn(speak(socket, ordered));
        Ok(Self(orders))
    }

    /// Returns once it is written.
    pub async fn say(&self, text: String) -> anyhow::Result<()> {
        let (done, said) = oneshot::channel();
        self.0.send((text, done)).await.map_err(|_| anyhow!("the connection that sends is gone"))?;
        said.await.context("the connection that sends is gone")
    }
}

async fn speak(mut socket: Socket, mut orders: mpsc::Receiver<Order>) {
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some((text, done)) = order else { return };
                if socket.say(text).await.is_err() {
                    return;
                }
                let _ = done.send(());
            }
            heard = socket.next() => if heard.is_err() { return },
        }
    }
}
