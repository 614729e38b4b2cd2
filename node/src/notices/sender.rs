//! Posts a message: one connection, one request, bounded in time and bytes. A name is looked up before the attempts that are made at the same
//! time, and connections are made to addresses that were checked. Redirects are not followed, so no receiver sends a node elsewhere.

use std::{net::SocketAddr, sync::OnceLock, time::Duration};

use bytes::Bytes;
use hyper::{Request, header};
use jiff::Timestamp;
use muster_net::{
    BadTlsFile, ConnectError, Stream, Tls, TlsFiles, TlsFlags,
    exchange::{AnswerBounds, ExchangeError, exchange},
    lookup::lookup,
    source, tcp,
};
use tokio::time::{self, Instant};

use super::{
    address::allowed,
    signature::{SIGNATURE, signature},
    url::NoticeUrl,
};
use crate::{
    backplane::{NoticeMessage, NoticeRecord},
    config::NoticeFlags,
};

/// How long an attempt may take, with the look-up of the name.
const WITHIN: Duration = Duration::from_secs(10);
/// The most bytes of an answer's body that are read.
const BODY_MAX: usize = 64 << 10;
/// How long the body of an answer is read.
const BODY_WITHIN: Duration = Duration::from_secs(1);
/// How long the look-up of a name may take when a notice is set.
const LOOKUP_WITHIN: Duration = Duration::from_secs(3);
/// The header with the id of a message, by which a receiver knows one that comes again.
const ID: &str = "muster-notice-id";

/// Posts messages to where they may go.
pub struct NoticeSender {
    flags: NoticeFlags,
    tls: OnceLock<Tls>,
}

/// Where the receiver of a notice is, for the attempts of a moment.
pub struct Destination {
    url: NoticeUrl,
    /// Those of its addresses to which messages may go.
    addresses: Vec<SocketAddr>,
    /// When the attempts end.
    deadline: Instant,
}

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedPost {
    /// The status of the answer, if there is one.
    pub status: Option<u16>,
    /// The reason, as a sentence for operators.
    pub why: String,
}

impl NoticeSender {
    /// The sender of a node with these flags.
    ///
    /// # Errors
    /// If the file of `--notice-ca` is none.
    pub fn new(flags: NoticeFlags) -> Result<Self, BadTlsFile> {
        let sender = Self { flags, tls: OnceLock::new() };
        if sender.flags.notice_ca.is_some() {
            sender.tls()?;
        }
        Ok(sender)
    }

    /// Checks that messages may go to a URL. A name that can't be looked up now is no error: the attempts will show it.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub async fn check(&self, url: &NoticeUrl) -> Result<(), String> {
        match lookup(&url.host, url.port, Instant::now() + LOOKUP_WITHIN).await {
            Ok(found) => self.allowed(url, found).map(drop).map_err(|why| format!("url: {why}")),
            Err(_) => Ok(()),
        }
    }

    /// Looks up the receiver of a notice. The system's resolver can't be interrupted, and a thread waits for each answer that it does not
    /// give: so a look-up is for all attempts that are made at the same time.
    ///
    /// # Errors
    /// Why no message may be posted, and what to do.
    pub async fn find(&self, notice: &NoticeRecord) -> Result<Destination, String> {
        let url = NoticeUrl::parse(&notice.url)?;
        let deadline = Instant::now() + WITHIN;
        let found = lookup(&url.host, url.port, deadline).await.map_err(|error| error.to_string())?;
        let addresses = self.allowed(&url, found)?;
        Ok(Destination { url, addresses, deadline })
    }

    /// Posts a message. Returns the status of the answer, from 200 to 299.
    ///
    /// # Errors
    /// Why the message was not delivered.
    pub async fn post(
        &self,
        to: &Destination,
        notice: &NoticeRecord,
        message: &NoticeMessage,
    ) -> Result<u16, FailedPost> {
        let no_answer = |why: String| FailedPost { status: None, why };
        let stream = self.connect(to).await.map_err(no_answer)?;
        let request = request(to, notice, message).map_err(|error| no_answer(error.to_string()))?;
        let bounds = AnswerBounds { body_max: BODY_MAX, body_within: Some(BODY_WITHIN), deadline: to.deadline };
        let answer = exchange(request, stream, &bounds).await.map_err(|error| match error {
            ExchangeError::Late => no_answer(format!("no answer within {} s", WITHIN.as_secs())),
            ExchangeError::Failed(_) => no_answer(error.to_string()),
        })?;
        // The status decides alone. The rest is read for a moment, so that the receiver can send it whole.
        let status = answer.status.as_u16();
        let failed = |why: &str| Err(FailedPost { status: Some(status), why: why.to_owned() });
        match status {
            200..300 => Ok(status),
            300..400 => failed("the answer is a redirect, which is not followed: set the URL that it leads to"),
            _ => failed("the receiver refused the message"),
        }
    }

    async fn connect(&self, Destination { url, addresses, deadline }: &Destination) -> Result<Stream, String> {
        let connecting = tcp::first(addresses.iter().copied(), |to| source::socket(to, None));
        let late = || ConnectError::Late(url.authority.clone()).to_string();
        let stream = time::timeout_at(*deadline, connecting).await.map_err(|_| late())?;
        let stream = stream.map_err(|error| ConnectError::Refused(url.authority.clone(), error).to_string())?;
        if !url.is_https {
            return Ok(Stream::Plain(stream));
        }
        let tls = self.tls().map_err(|error| error.to_string())?;
        let told = |error| match &error {
            ConnectError::Tls(peer, fault) => format!("{peer}: {}", tls.explain(fault)),
            other => other.to_string(),
        };
        tls.handshake(&url.host, stream, *deadline).await.map_err(told)
    }

    fn allowed(&self, url: &NoticeUrl, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
        allowed(found, url.is_https, &self.flags.notice_to)
    }

    fn tls(&self) -> Result<&Tls, BadTlsFile> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls);
        }
        let flags = TlsFlags { ca: "--notice-ca", ..TlsFlags::FIELDS };
        let tls = Tls::load(&TlsFiles { flags, ca: self.flags.notice_ca.clone(), ..TlsFiles::default() })?;
        Ok(self.tls.get_or_init(|| tls))
    }
}

/// The request that posts a message, signed at this moment.
fn request(to: &Destination, notice: &NoticeRecord, message: &NoticeMessage) -> hyper::http::Result<Request<Bytes>> {
    let seconds = Timestamp::now().as_second();
    Request::post(&to.url.path)
        .header(header::HOST, &to.url.authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("muster-node/", env!("CARGO_PKG_VERSION")))
        .header(ID, message.id.to_string())
        .header(SIGNATURE, signature(&notice.secret, seconds, &message.body))
        .body(Bytes::from(message.body.clone()))
}
