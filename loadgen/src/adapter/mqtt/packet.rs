//! The packets of MQTT 5 that a terminal needs.

use tokio_tungstenite::tungstenite::Message;

/// A packet to send.
pub(super) struct Packet {
    first: u8,
    body: Vec<u8>,
}

impl Packet {
    /// A packet with this first byte: its type, and flags.
    pub(super) fn new(first: u8) -> Self {
        Self { first, body: Vec::new() }
    }

    pub(super) fn byte(&mut self, byte: u8) -> &mut Self {
        self.bytes(&[byte])
    }

    pub(super) fn short(&mut self, number: u16) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn long(&mut self, number: u32) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    /// Adds a text of at most 65,535 bytes with its length; the rest of a longer one is left out.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        let bytes = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
        self.short(bytes.len() as u16).bytes(bytes)
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.body.extend_from_slice(bytes);
        self
    }

    /// The packet as a frame.
    pub(super) fn frame(&self) -> Message {
        let mut packet = vec![self.first];
        let mut length = self.body.len();
        loop {
            let low = (length % 128) as u8;
            length /= 128;
            packet.push(if length > 0 { low | 0x80 } else { low });
            if length == 0 {
                break;
            }
        }
        packet.extend_from_slice(&self.body);
        Message::binary(packet)
    }
}

/// A packet that was received.
pub(super) enum ServerPacket<'a> {
    ConnAck { present: bool, code: u8, keep_alive: Option<u16> },
    Publish { id: Option<u16>, payload: &'a [u8] },
    PubAck { id: u16, code: u8 },
    SubAck { code: u8 },
    Disconnect { code: u8 },
    Other,
}

/// Reads the first packet, and returns it with what follows; `None` if it is not whole. Fails if it breaks the protocol.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(ServerPacket<'_>, &[u8])>, ()> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    let Some((length, rest)) = variable(rest)? else { return Ok(None) };
    let Some((body, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    let received = match first >> 4 {
        2 => conn_ack(body),
        3 => publish(first >> 1 & 3, body),
        4 => short(body).map(|(id, rest)| ServerPacket::PubAck { id, code: rest.first().copied().unwrap_or(0) }),
        9 => body.last().map(|code| ServerPacket::SubAck { code: *code }),
        14 => Some(ServerPacket::Disconnect { code: body.first().copied().unwrap_or(0) }),
        _ => Some(ServerPacket::Other),
    };
    received.map(|received| Some((received, rest))).ok_or(())
}

fn conn_ack(body: &[u8]) -> Option<ServerPacket<'_>> {
    let ([flags, code], rest) = body.split_first_chunk()?;
    let keep_alive = properties(rest).and_then(|(properties, _)| server_keep_alive(properties));
    Some(ServerPacket::ConnAck { present: flags & 1 == 1, code: *code, keep_alive })
}

fn publish(qos: u8, body: &[u8]) -> Option<ServerPacket<'_>> {
    let (topic, rest) = short(body)?;
    let rest = rest.get(usize::from(topic)..)?;
    let (id, rest) = match qos {
        0 => (None, rest),
        _ => short(rest).map(|(id, rest)| (Some(id), rest))?,
    };
    properties(rest).map(|(_, payload)| ServerPacket::Publish { id, payload })
}

fn short(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u16::from_be_bytes(*number), rest))
}

/// Reads a number of one to four bytes; `None` if it is not whole. Fails if it has more bytes.
fn variable(bytes: &[u8]) -> Result<Option<(usize, &[u8])>, ()> {
    let mut number = 0;
    for place in 0..4 {
        let Some(byte) = bytes.get(place) else { return Ok(None) };
        number |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some((number, &bytes[place + 1..])));
        }
    }
    Err(())
}

/// Splits the properties from what follows.
fn properties(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = variable(bytes).ok()??;
    rest.split_at_checked(length)
}

/// The value of the property "server keep alive", if it is among those of an answer to a connection.
fn server_keep_alive(mut properties: &[u8]) -> Option<u16> {
    while let Some((id, rest)) = properties.split_first() {
        let length = match id {
            0x13 => return short(rest).map(|(seconds, _)| seconds),
            0x24 | 0x25 | 0x28 | 0x29 | 0x2a => 1,
            0x21 | 0x22 => 2,
            0x11 | 0x27 => 4,
            // A pair of texts.
            0x26 => {
                let (name, after) = short(rest)?;
                let (value, _) = short(after.get(usize::from(name)..)?)?;
                4 + usize::from(name) + usize::from(value)
            }
            // Texts and bytes.
            _ => 2 + usize::from(short(rest)?.0),
        };
        properties = rest.get(length..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_choose_how_long_it_waits_for_a_packet() {
        let all = [0x26, 0, 1, b'a', 0, 1, b'b', 0x12, 0, 1, b'x', 0x21, 0, 20, 0x24, 1, 0x27, 0, 0, 0, 1, 0x13, 0, 7];
        assert_eq!(server_keep_alive(&all), Some(7));
        assert_eq!(server_keep_alive(&all[..20]), None);
        assert_eq!(server_keep_alive(&all[..3]), None, "cut off");
    }

    #[test]
    fn a_long_packet_has_a_long_length() {
        let mut packet = Packet::new(0x30);
        packet.bytes(&[7; 200]);
        let Message::Binary(frame) = packet.frame() else { panic!("no binary frame") };
        assert_eq!(frame[..3], [0x30, 0xc8, 0x01]);
        assert!(matches!(parse(&frame[..150]), Ok(None)) && matches!(parse(&frame[..1]), Ok(None)));
    }
}
