//! A terminal that is connected to a node.

use std::{net::SocketAddr, time::Duration};

use muster_client::{Config, Incoming, Terminal};
use muster_protocol::{TerminalId, api::Protocol, frame::Command, selector::Labels};
use tokio::sync::mpsc;

use crate::{
    http::get,
    wait::{soon, until},
};

/// A terminal that came online. Dropping it drops its connection without a close.
pub struct OnlineTerminal {
    /// The handle.
    pub terminal: Terminal,
    /// What the terminal was told since it came online, at most 1000 reports at a time.
    pub told: mpsc::Receiver<Incoming>,
}

impl OnlineTerminal {
    /// Connects a terminal with this protocol and these labels, and waits until the registry shows it as online.
    pub async fn start(address: SocketAddr, id: &str, protocol: Protocol, labels: &[(&str, &str)]) -> Self {
        Self::start_with(address, id, |config| {
            config.protocol = protocol;
            config.labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect::<Labels>();
        })
        .await
    }

    /// Connects a terminal of `muster.v1` whose configuration is changed by `change`, and waits until the registry
    /// shows it as online.
    pub async fn start_with(address: SocketAddr, id: &str, change: impl FnOnce(&mut Config)) -> Self {
        let (tell, told) = mpsc::channel(1000);
        let mut config = Config::new([format!("ws://{address}/ws")], id.parse::<TerminalId>().unwrap());
        config.policy.first = Duration::from_millis(100);
        change(&mut config);
        let mut online = Self { terminal: Terminal::start(config, tell).unwrap(), told };
        assert!(matches!(online.next().await, Incoming::Online { .. }));
        let path = format!("/v1/terminals/{id}");
        until("the registry shows the terminal as online", async || get(address, &path).await.1["status"] == "online")
            .await;
        online
    }

    /// The next report.
    ///
    /// # Panics
    /// If there is none within [`PATIENCE`](crate::wait::PATIENCE).
    pub async fn next(&mut self) -> Incoming {
        soon(self.told.recv()).await.expect("the terminal runs")
    }

    /// The payload of the next command: JSON text or, in plain mode, the text.
    ///
    /// # Panics
    /// If the next report is not a command.
    pub async fn payload(&mut self) -> String {
        match self.next().await {
            Incoming::Command { command, .. } => command.payload.as_json().to_owned(),
            Incoming::Text { text, .. } => text,
            other => panic!("no command but {other:?}"),
        }
    }

    /// The next command, after any that are repeated.
    ///
    /// # Panics
    /// If another report comes first.
    pub async fn command(&mut self) -> Command {
        loop {
            match self.next().await {
                Incoming::Command { command, .. } => return command,
                Incoming::Repeated(_) => {}
                other => panic!("no command but {other:?}"),
            }
        }
    }

    /// Whether there is no report that was not read.
    pub fn is_quiet(&mut self) -> bool {
        self.told.try_recv().is_err()
    }
}
