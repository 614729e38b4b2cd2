//! One connection, from its welcome to its end: a loop that owns the socket. The loop borrows the terminal's state, and
//! stores there what later sessions need: the commands seen, the cursor, the results sent.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use muster_protocol::{
    CommandId,
    api::Protocol,
    frame::{Ack, Command, EventAck, FromNode, FromTerminal, Goodbye, TOKEN_REFUSED, TOKEN_TOO_SOON, TokenFrame},
};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{
    Error, Message, Utf8Bytes,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tracing::debug;

use crate::{
    ConnectionEnd, Incoming, Listener, Token, TokenUnavailable,
    dial::{Opened, WebSocket, closed},
    outgoing::Outgoing,
    sleep::sleep_until_some,
    state::TerminalState,
};

/// How long a terminal that leaves waits for the node to answer its close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The connection is taken for dead after this many ping intervals without anything from the node.
const MISSED_PINGS: u64 = 3;

/// One connection of one terminal.
pub(crate) struct Session<'a, L> {
    state: &'a mut TerminalState<L>,
    socket: WebSocket,
    /// How long the node may send nothing. `None` if the node did not say how often it pings.
    silence_limit: Option<Duration>,
    last_received: Instant,
    /// When to come back, from a goodbye.
    hint: Option<Duration>,
}

impl<'a, L: Listener> Session<'a, L> {
    pub(crate) fn new(state: &'a mut TerminalState<L>, opened: Opened) -> Self {
        let ping_ms = opened.welcome.map_or(0, |welcome| welcome.ping_ms);
        let silence_limit = (ping_ms > 0).then(|| Duration::from_millis(ping_ms.saturating_mul(MISSED_PINGS)));
        Self { state, socket: opened.socket, silence_limit, last_received: Instant::now(), hint: None }
    }

    /// Runs until the session ends. First sends again the results that may have been lost with the last session. Then
    /// serves in this order: a request to leave, a new token (a busy session must not outlive its token), what is to be
    /// sent, what is received.
    pub(crate) async fn run(mut self) -> ConnectionEnd {
        self.state.outbox.resend();
        loop {
            if let Err(end) = self.send_results().await {
                return end;
            }
            let silent_at = self.silence_limit.and_then(|limit| self.last_received.checked_add(limit));
            let step = tokio::select! {
                biased;
                _ = &mut self.state.leave => return self.leave().await,
                answer = self.state.token.next() => self.renew_token(answer).await,
                Some(outgoing) = self.state.outgoing.recv() => self.send(outgoing).await,
                () = sleep_until_some(self.state.stagger.next_due()) => self.hand_over_due().await,
                message = self.socket.next() => self.receive(message, Instant::now()).await,
                () = sleep_until_some(silent_at) => Err(ConnectionEnd::Silent),
            };
            if let Err(end) = step {
                let _ = timeout(CLOSE_TIMEOUT, self.say_goodbye()).await;
                return end;
            }
        }
    }

    /// Sends a message or, if it is over the node's limit, what replaces it. Retains a result for the next session.
    async fn send(&mut self, outgoing: Outgoing) -> Result<(), ConnectionEnd> {
        let Some(outgoing) = self.state.within_limit(outgoing).await else { return Ok(()) };
        self.state.outbox.record(&outgoing);
        if let Some((id, frame)) = outgoing.as_result() {
            self.state.seen.set_result(id, frame);
        }
        self.socket.send(outgoing.into_message()).await.map_err(ConnectionEnd::lost)
    }

    /// Sends the results that the outbox has yet to send.
    async fn send_results(&mut self) -> Result<(), ConnectionEnd> {
        while let Some(outgoing) = self.state.outbox.next() {
            self.send(outgoing).await?;
        }
        Ok(())
    }

    /// Sends the answer of the token source, if it is a token that expires later than the one in use.
    async fn renew_token(&mut self, answer: Result<Token, TokenUnavailable>) -> Result<(), ConnectionEnd> {
        let token = match answer {
            Ok(token) => token,
            Err(error) => {
                self.state.token.ask_later();
                self.state.listener.on(Incoming::TokenUnavailable(error)).await;
                return Ok(());
            }
        };
        let frame = TokenFrame { token: token.reveal().to_owned() };
        let now = self.state.node_time();
        if self.state.token.extend(token, now) {
            self.send(Outgoing::frame(&FromTerminal::Token(frame))).await?;
        }
        Ok(())
    }

    async fn hand_over_due(&mut self) -> Result<(), ConnectionEnd> {
        for id in self.state.hand_over_due().await {
            self.acknowledge(id).await?;
        }
        Ok(())
    }

    async fn receive(
        &mut self,
        message: Option<Result<Message, Error>>,
        received_at: Instant,
    ) -> Result<(), ConnectionEnd> {
        self.last_received = received_at;
        match message {
            Some(Ok(Message::Text(text))) => self.receive_text(text, received_at).await,
            Some(Ok(Message::Close(frame))) => Err(closed(frame, self.hint)),
            Some(Ok(Message::Binary(bytes))) if self.state.config.protocol == Protocol::Plain => {
                self.state.listener.on(Incoming::Binary { bytes: bytes.into(), received_at }).await;
                Ok(())
            }
            // The WebSocket layer answers pings, and in `muster.v1` a node sends no binary messages.
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(ConnectionEnd::lost(error)),
            None => Err(ConnectionEnd::lost("the connection ended without a close")),
        }
    }

    async fn receive_text(&mut self, text: Utf8Bytes, received_at: Instant) -> Result<(), ConnectionEnd> {
        if self.state.config.protocol == Protocol::Plain {
            self.state.listener.on(Incoming::Text { text: text.as_str().to_owned(), received_at }).await;
            return Ok(());
        }
        match FromNode::decode(&text) {
            Ok(frame) => self.receive_frame(frame, received_at).await,
            Err(error) => {
                debug!(terminal = %self.state.config.terminal, %error, "ignored a frame that can't be read");
                Ok(())
            }
        }
    }

    async fn receive_frame(&mut self, frame: FromNode, received_at: Instant) -> Result<(), ConnectionEnd> {
        match frame {
            FromNode::Command(command) => return self.receive_command(command, received_at).await,
            FromNode::Ack(EventAck { id }) => self.state.listener.on(Incoming::EventStored(id)).await,
            FromNode::Gap(gap) => {
                self.state.advance_cursor(gap.to.clone());
                self.state.listener.on(Incoming::Gap(gap)).await;
            }
            FromNode::Goodbye(Goodbye { retry_ms, .. }) => self.hint = retry_ms.map(Duration::from_millis),
            FromNode::Error(error) => {
                if [TOKEN_REFUSED, TOKEN_TOO_SOON].contains(&error.code.as_str()) {
                    self.state.token.ask_later();
                }
                self.state.listener.on(Incoming::Error(error)).await;
            }
            FromNode::Welcome(_) => debug!(terminal = %self.state.config.terminal, "ignored a second welcome"),
        }
        Ok(())
    }

    /// Acknowledges a command once the listener has it, and moves the cursor no further than that: the node sends again
    /// what the program did not get. A staggered command that still waits is not acknowledged yet.
    async fn receive_command(&mut self, command: Command, received_at: Instant) -> Result<(), ConnectionEnd> {
        let (id, cursor) = (command.id, command.cursor.clone());
        let acknowledge = self.state.receive_command(command, received_at).await;
        if let Some(cursor) = cursor {
            self.state.advance_cursor(cursor);
        }
        if acknowledge { self.acknowledge(id).await } else { Ok(()) }
    }

    async fn acknowledge(&mut self, id: CommandId) -> Result<(), ConnectionEnd> {
        if !self.state.config.acknowledge {
            return Ok(());
        }
        let ack = FromTerminal::Ack(Ack { id }).to_string();
        self.socket.send(Message::text(ack)).await.map_err(ConnectionEnd::lost)
    }

    /// Answers the node's close. After any other end the node may not read this.
    async fn say_goodbye(&mut self) {
        // Fails if the node has closed. Then the WebSocket layer has queued the answer, and the flush sends it.
        let _ = self.socket.close(None).await;
        let _ = self.socket.flush().await;
    }

    /// Sends what the program had queued, then closes with 1000 and waits for the node's answer.
    async fn leave(mut self) -> ConnectionEnd {
        let leaving = async {
            while let Ok(outgoing) = self.state.outgoing.try_recv() {
                self.send(outgoing).await?;
            }
            self.close().await.map_err(ConnectionEnd::lost)
        };
        let _ = timeout(CLOSE_TIMEOUT, leaving).await;
        ConnectionEnd::Left
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() })).await?;
        while let Some(Ok(_)) = self.socket.next().await {}
        Ok(())
    }
}
