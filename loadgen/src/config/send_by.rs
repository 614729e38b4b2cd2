//! The way by which messages reach a server that is not Muster.

use std::str::FromStr;

use clap::Args;
use hyper::{Uri, header::HeaderName};

use crate::template::Template;

/// The body that is the message alone.
const WHOLE: &str = "{message}";

/// The way by which messages reach a server that is not Muster.
#[derive(Debug, Clone, Default, Args)]
pub struct SendSettings {
    /// How messages reach a server that is not Muster: socket (a connection of its own publishes through the adapter; the
    /// default) or, with a raw server, 'socket BODY'; 'POST URL BODY'; or 'redis://HOST:PORT CHANNEL BODY' (PUBLISH). BODY may
    /// name {message} and {n}, the number of the message. It is {message} by default
    #[arg(long, value_name = "WAY")]
    pub send_by: Option<SendBy>,

    /// With --send-by POST: a header of each request, such as X-API-Key=... May be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = header)]
    pub send_header: Vec<(String, String)>,
}

/// A way by which messages are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendBy {
    /// A connection of its own publishes through the adapter: this body, which is the message itself but with a raw server.
    Socket(Template),
    /// Each message is posted.
    Post(Uri, Template),
    /// Each message is published in Redis: the address as HOST:PORT, the channel, and the body.
    Redis(String, String, Template),
}

impl FromStr for SendBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let way =
            || "it is 'socket BODY', 'POST http://HOST:PORT/PATH BODY' or 'redis://HOST:PORT CHANNEL BODY'".to_owned();
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        match first {
            "socket" => Ok(Self::Socket(body_of(if rest.is_empty() { WHOLE } else { rest })?)),
            "POST" => {
                let (uri, body) = rest.split_once(' ').unwrap_or((rest, WHOLE));
                let uri: Uri = uri.parse().map_err(|_| way())?;
                if !matches!(uri.scheme_str(), Some("http" | "https")) {
                    return Err(way());
                }
                Ok(Self::Post(uri, body_of(body)?))
            }
            _ => {
                let address = first.strip_prefix("redis://").map(|address| address.trim_end_matches('/'));
                let address = address.filter(|address| address.contains(':') && !address.contains(['/', '@']));
                let (channel, body) = rest.split_once(' ').unwrap_or((rest, WHOLE));
                match address.filter(|_| !channel.is_empty()) {
                    Some(address) => Ok(Self::Redis(address.to_owned(), channel.to_owned(), body_of(body)?)),
                    None => Err(way()),
                }
            }
        }
    }
}

impl SendBy {
    /// Whether a connection of its own sends more than the message alone.
    pub fn puts_around(&self) -> bool {
        matches!(self, Self::Socket(body) if Ok(body) != Template::of_message(WHOLE).as_ref())
    }
}

/// Parses a body, which must have the message in it: else nothing that arrives could be told from anything else.
fn body_of(text: &str) -> Result<Template, String> {
    let body = Template::of_message(text)?;
    if body.names("message") { Ok(body) } else { Err("the BODY must name {message}".into()) }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is NAME=VALUE")?;
    HeaderName::try_from(name).map_err(|_| "the name is no name of a header")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_a_socket_a_request_or_a_channel_of_redis() {
        let whole = Template::of_message(WHOLE).unwrap();
        let bare = SendBy::Socket(whole.clone());
        assert!(!bare.puts_around() && "socket".parse() == Ok(bare));
        assert!("socket say {message}".parse::<SendBy>().unwrap().puts_around());
        let body = r#"{"channel":"x","data":"{message}"}"#;
        let SendBy::Post(uri, template) = format!("POST http://h:1/api {body}").parse().unwrap() else { panic!() };
        assert_eq!(
            (uri.path(), template.fill(|name| name.to_owned())),
            ("/api", r#"{"channel":"x","data":"message"}"#.into())
        );
        assert_eq!("POST http://h:1/".parse(), Ok(SendBy::Post("http://h:1/".parse().unwrap(), whole.clone())));
        assert_eq!("redis://h:6379 news".parse(), Ok(SendBy::Redis("h:6379".into(), "news".into(), whole)));
    }

    #[test]
    fn a_way_that_is_incomplete_is_refused() {
        for bad in [
            "",
            "socket x",
            "sockets",
            "POST",
            "POST h:1",
            "GET http://h",
            "redis://h news",
            "redis://h:1",
            "redis://p@h:1 x",
        ] {
            assert!(bad.parse::<SendBy>().is_err(), "{bad}");
        }
        assert!("POST http://h {n}".parse::<SendBy>().unwrap_err().contains("{message}"));
    }
}
