//! One connection, from its welcome to its end: a select loop that owns the socket. What it learns for the sessions after it
//! (what to remember, what waits, what was said) it leaves in what is kept, which it borrows.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use muster_protocol::{
    CommandId,
    api::Protocol,
    frame::{Ack, Command, FromNode, FromTerminal, Goodbye},
};
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::tungstenite::{
    Error, Message, Utf8Bytes,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tracing::debug;

use crate::{
    End, Incoming, Listener,
    dial::{Opened, Socket, closed},
    kept::Kept,
    outgoing::Outgoing,
};

/// How long a terminal that leaves waits for the node to answer its close.
const FAREWELL: Duration = Duration::from_secs(1);

/// One connection of one terminal.
pub(crate) struct Session<'a, L> {
    kept: &'a mut Kept<L>,
    socket: Socket,
    /// How long the node may say nothing at all; `None` if it made no promise.
    patience: Option<Duration>,
    heard: Instant,
    /// What a goodbye said about coming back.
    hint: Option<Duration>,
}

impl<'a, L: Listener> Session<'a, L> {
    pub(crate) fn new(kept: &'a mut Kept<L>, opened: Opened) -> Self {
        let ping_ms = opened.welcome.map_or(0, |welcome| welcome.ping_ms);
        let patience = (ping_ms > 0).then(|| Duration::from_millis(ping_ms.saturating_mul(3)));
        Self { kept, socket: opened.socket, patience, heard: Instant::now(), hint: None }
    }

    /// Runs until the session ends. Results that may have been lost with the last session are sent again first. A request to leave
    /// is served before what is to be sent, and that before what is received.
    pub(crate) async fn run(mut self) -> End {
        self.kept.outbox.resend();
        loop {
            if let Err(end) = self.send_results().await {
                return end;
            }
            let deadline = self.patience.and_then(|patience| self.heard.checked_add(patience));
            let step = tokio::select! {
                biased;
                _ = &mut self.kept.leave => return self.leave().await,
                Some(order) = self.kept.orders.recv() => self.send(order).await,
                () = reach(self.kept.waiting.next()) => self.hand_out_due().await,
                message = self.socket.next() => self.receive(message, Instant::now()).await,
                () = reach(deadline) => Err(End::Silent),
            };
            if let Err(end) = step {
                // The node's close deserves its answer; after any other end there is nobody to hear it.
                let _ = timeout(FAREWELL, self.socket.close(None)).await;
                return end;
            }
        }
    }

    /// Sends a message, or what replaces it if it is over the node's limit. Retains a result for the next session.
    async fn send(&mut self, outgoing: Outgoing) -> Result<(), End> {
        let Some(outgoing) = self.kept.within_limit(outgoing).await else { return Ok(()) };
        self.kept.outbox.record(&outgoing);
        self.socket.send(Message::Text(outgoing.into_text())).await.map_err(End::lost)
    }

    /// Sends the results that the outbox has yet to send.
    async fn send_results(&mut self) -> Result<(), End> {
        while let Some(outgoing) = self.kept.outbox.next() {
            self.send(outgoing).await?;
        }
        Ok(())
    }

    async fn hand_out_due(&mut self) -> Result<(), End> {
        for id in self.kept.hand_out_due().await {
            self.acknowledge(id).await?;
        }
        Ok(())
    }

    async fn receive(&mut self, message: Option<Result<Message, Error>>, received_at: Instant) -> Result<(), End> {
        self.heard = received_at;
        match message {
            Some(Ok(Message::Text(text))) => self.text(text, received_at).await,
            Some(Ok(Message::Close(frame))) => Err(closed(frame, self.hint)),
            // The WebSocket layer answers pings, and a node sends no binary.
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(End::lost(error)),
            None => Err(End::lost("the connection ended without a close")),
        }
    }

    async fn text(&mut self, text: Utf8Bytes, received_at: Instant) -> Result<(), End> {
        if self.kept.config.protocol == Protocol::Plain {
            self.kept.listener.on(Incoming::Text { text: text.as_str().to_owned(), received_at }).await;
            return Ok(());
        }
        match FromNode::decode(&text) {
            Ok(frame) => self.frame(frame, received_at).await,
            Err(error) => {
                debug!(terminal = %self.kept.config.terminal, %error, "a frame was ignored");
                Ok(())
            }
        }
    }

    async fn frame(&mut self, frame: FromNode, received_at: Instant) -> Result<(), End> {
        match frame {
            FromNode::Command(command) => return self.command(command, received_at).await,
            FromNode::Gap(gap) => {
                self.kept.memory.stand_at(gap.to.clone());
                self.kept.listener.on(Incoming::Gap(gap)).await;
            }
            FromNode::Goodbye(Goodbye { retry_ms, .. }) => self.hint = retry_ms.map(Duration::from_millis),
            FromNode::Error(complaint) => self.kept.listener.on(Incoming::Complaint(complaint)).await,
            FromNode::Welcome(_) => debug!(terminal = %self.kept.config.terminal, "a second welcome was ignored"),
        }
        Ok(())
    }

    /// A command is acknowledged once the listener has it, and the cursor moves no further than that: what the program did not get
    /// is asked for again. One that waits its share of a stagger was not had yet.
    async fn command(&mut self, command: Command, received_at: Instant) -> Result<(), End> {
        let (id, cursor) = (command.id, command.cursor.clone());
        let answer = self.kept.take(command, received_at).await;
        if let Some(cursor) = cursor {
            self.kept.advance(cursor);
        }
        if answer { self.acknowledge(id).await } else { Ok(()) }
    }

    async fn acknowledge(&mut self, id: CommandId) -> Result<(), End> {
        if !self.kept.config.acknowledge {
            return Ok(());
        }
        let ack = FromTerminal::Ack(Ack { id }).to_string();
        self.socket.send(Message::text(ack)).await.map_err(End::lost)
    }

    /// Says what was still to be said, then closes, and lets the node answer.
    async fn leave(mut self) -> End {
        let farewell = async {
            while let Ok(outgoing) = self.kept.orders.try_recv() {
                self.send(outgoing).await?;
            }
            self.close().await.map_err(End::lost)
        };
        let _ = timeout(FAREWELL, farewell).await;
        End::Left
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() })).await?;
        while let Some(Ok(_)) = self.socket.next().await {}
        Ok(())
    }
}

/// Waits for a deadline; for none, forever.
async fn reach(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
