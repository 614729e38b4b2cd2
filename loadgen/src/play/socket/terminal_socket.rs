//! One open connection of a terminal: reads and writes frames, has the protocol say what they mean, and ends the
//! connection in each way that a terminal can.

use std::{io, time::Duration};

use futures_util::{SinkExt, StreamExt};
use muster_client::ConnectionEnd;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::connection_end::{closed, lost};
use crate::{
    adapter::{Conversation, Heard, Publication, Readiness},
    play::{cut::cut, mute::MuteStream, program::ProgramLine},
};

/// A function that is told of each frame of a connection.
pub type FrameListener<'a> = dyn FnMut(Heard<'_>) + Send + 'a;

/// How long a terminal that closes its connection waits for the server's close frame. After this time it drops the
/// connection.
const FAREWELL: Duration = Duration::from_secs(1);

/// An established session.
pub struct TerminalSocket {
    stream: WebSocketStream<MuteStream>,
    conversation: Box<dyn Conversation>,
    /// The program that says what frames mean; `None` if the conversation does.
    program: Option<Box<ProgramLine>>,
    /// When a frame of any kind was last read, pings included.
    pub last_read: Instant,
}

impl TerminalSocket {
    /// Returns the connection after its handshake. `program` says what frames mean, if there is one.
    pub(super) fn new(
        stream: WebSocketStream<MuteStream>,
        conversation: Box<dyn Conversation>,
        program: Option<Box<ProgramLine>>,
    ) -> Self {
        Self { stream, conversation, program, last_read: Instant::now() }
    }

    /// Speaks with the server until the terminal is ready.
    pub(super) async fn establish(&mut self, hear: &mut FrameListener<'_>) -> Result<Readiness, ConnectionEnd> {
        let mut ready = None;
        let mut answers =
            self.interpret(|conversation, heard| conversation.on_open(heard), &mut |heard| match heard {
                Heard::Ready(readiness) => ready = Some(readiness),
                other => hear(other),
            })?;
        loop {
            self.answer(answers).await?;
            if let Some(readiness) = ready.take() {
                return Ok(readiness);
            }
            let frame = self.next().await?;
            answers = self.hear(&frame, &mut |heard| match heard {
                Heard::Ready(readiness) => ready = Some(readiness),
                other => hear(other),
            })?;
        }
    }

    /// Tells `hear` what a frame means, and returns the frames to answer with. Fails if the server refused the
    /// terminal.
    pub fn hear(&mut self, frame: &Message, hear: &mut dyn FnMut(Heard<'_>)) -> Result<Vec<Message>, ConnectionEnd> {
        self.interpret(|conversation, heard| conversation.on_frame(frame, heard), hear)
    }

    fn interpret(
        &mut self,
        tell: impl FnOnce(&mut dyn Conversation, &mut dyn FnMut(Heard<'_>)),
        hear: &mut dyn FnMut(Heard<'_>),
    ) -> Result<Vec<Message>, ConnectionEnd> {
        let (mut answers, mut refused) = (Vec::new(), None);
        tell(&mut *self.conversation, &mut |heard| match heard {
            Heard::Reply(frame) => answers.push(frame),
            Heard::Refused(why) => refused = Some(why),
            other => hear(other),
        });
        refused.map_or(Ok(answers), |why| Err(lost(why)))
    }

    /// Sends frames.
    pub async fn answer(&mut self, frames: Vec<Message>) -> Result<(), ConnectionEnd> {
        for frame in frames {
            self.send(frame).await?;
        }
        Ok(())
    }

    /// Makes the frame that publishes a message. Fails if a program is to make it, and does not.
    pub async fn publication(&mut self, message: &str, number: u32) -> Result<Publication, ConnectionEnd> {
        match &self.program {
            None => Ok(self.conversation.publish(message, number)),
            Some(program) => program.publication(message, number).await,
        }
    }

    /// Returns from where the next connection can resume; `None` if it can't.
    pub fn resume_state(&mut self) -> Option<String> {
        self.conversation.resume_state()
    }

    /// Waits for the next text or binary frame, or for what a program answered to it. Pings and pongs only update
    /// `last_read`. Fails when the connection ends, or the program does.
    pub async fn next(&mut self) -> Result<Message, ConnectionEnd> {
        loop {
            if let Some(program) = &mut self.program
                && let Some(answer) = program.answer().await?
            {
                return Ok(answer);
            }
            let message = self.stream.next().await;
            self.last_read = Instant::now();
            match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => match &mut self.program {
                    None => return Ok(message),
                    Some(program) => program.ask(&message),
                },
                Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(lost(error)),
                None => return Err(lost("the connection ended without a close")),
            }
        }
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Message) -> Result<(), ConnectionEnd> {
        self.stream.send(frame).await.map_err(lost)
    }

    /// Discards everything that is written from now on, acks and pong frames included.
    pub fn mute(&mut self) {
        self.stream.get_mut().mute = true;
    }

    /// Sends a close frame and waits briefly for the server's close frame.
    pub async fn close(mut self) {
        let farewell = async {
            let close = CloseFrame { code: CloseCode::Normal, reason: Default::default() };
            self.stream.close(Some(close)).await?;
            while let Some(Ok(_)) = self.stream.next().await {}
            Ok::<(), Error>(())
        };
        let _ = timeout(FAREWELL, farewell).await;
    }

    /// Takes no packet of the server any more, as behind a cut cable: the kernel drops each packet before it could
    /// confirm it. Fails if the kernel refuses the filter.
    pub fn cut(&self) -> io::Result<()> {
        cut(self.stream.get_ref().stream.tcp())
    }

    /// Resets the connection as the kernel does for a killed process: unsent data is discarded, and the peer
    /// receives a RST.
    pub fn reset(self) {
        let _ = socket2::SockRef::from(self.stream.get_ref().stream.tcp()).set_linger(Some(Duration::ZERO));
    }
}
