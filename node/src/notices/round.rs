//! Tries the messages of one notice that are due.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use jiff::Timestamp;
use muster_protocol::api::{AttemptResult, NoticeAttempt};

use super::{
    retry::wait,
    sender::{Destination, FailedPost, NoticeSender},
};
use crate::{
    backplane::{Backplane, BackplaneError, NoticeMessage, NoticeRecord, TriedMessage},
    metrics::Metrics,
};

/// The messages of a notice that are on their way at once.
const AT_ONCE: usize = 16;
/// The time after which what is due waits for the next round.
const ROUND: Duration = Duration::from_millis(700);

/// What a round needs.
#[derive(Clone)]
pub struct Round {
    /// Has the messages.
    pub backplane: Arc<dyn Backplane>,
    /// Posts the messages.
    pub sender: Arc<NoticeSender>,
    /// Counts the attempts.
    pub metrics: Arc<Metrics>,
}

impl Round {
    /// Tries messages until none is due or 700 ms have passed. A receiver that hangs keeps the round for 10 s, and no other notice.
    pub async fn run(self, notice: NoticeRecord) {
        let began = Instant::now();
        while began.elapsed() < ROUND {
            match self.try_due(&notice).await {
                Ok(AT_ONCE) => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::debug!(notice = %notice.name, %error, "messages of a notice wait for the store");
                    return;
                }
            }
        }
    }

    /// Tries some messages at the same time. Returns how many were due.
    async fn try_due(&self, notice: &NoticeRecord) -> Result<usize, BackplaneError> {
        let due = self.backplane.due_messages(&notice.name, AT_ONCE).await?;
        let count = due.len();
        if count > 0 {
            let aim = Aim::take(&self.sender, notice).await;
            join_all(due.into_iter().map(|message| self.try_one(&aim, message))).await;
        }
        Ok(count)
    }

    async fn try_one(&self, aim: &Aim<'_>, message: NoticeMessage) {
        let posted = aim.post(&message).await;
        let wait = posted.is_err().then(|| wait(message.attempts + 1, age(&message), rand::random())).flatten();
        let mut attempt = aim.attempt(&message, posted);
        match wait {
            Some(wait) => attempt.next_at = Timestamp::now().checked_add(wait).ok(),
            None if attempt.result == AttemptResult::Failed => attempt.result = AttemptResult::GivenUp,
            None => {}
        }
        self.metrics.notice_attempts.with_label_values(&[attempt.result.name()]).inc();
        let name = &aim.notice.name;
        if attempt.result == AttemptResult::GivenUp {
            let error = attempt.error.as_deref();
            tracing::warn!(notice = %name, message = %message.id, error, "a message of a notice is given up");
        }
        let message = NoticeMessage { attempts: message.attempts + 1, ..message };
        let tried = TriedMessage { notice: name, message: &message, wait, attempt: &attempt };
        if let Err(error) = self.backplane.record_attempt(tried).await {
            tracing::debug!(notice = %name, %error, "an attempt was not recorded, and is made again");
        }
    }
}

/// Posts a message once, and says what became of it. It is not repeated.
pub async fn try_once(sender: &NoticeSender, notice: &NoticeRecord, message: &NoticeMessage) -> NoticeAttempt {
    let aim = Aim::take(sender, notice).await;
    let posted = aim.post(message).await;
    aim.attempt(message, posted)
}

fn age(message: &NoticeMessage) -> Duration {
    Duration::try_from(Timestamp::now().duration_since(message.queued_at)).unwrap_or_default()
}

/// Where messages of a notice go at this moment.
struct Aim<'a> {
    sender: &'a NoticeSender,
    notice: &'a NoticeRecord,
    began: (Timestamp, Instant),
    /// Where the receiver is, or why no message may be posted.
    to: Result<Destination, String>,
}

impl<'a> Aim<'a> {
    async fn take(sender: &'a NoticeSender, notice: &'a NoticeRecord) -> Self {
        let began = (Timestamp::now(), Instant::now());
        Self { sender, notice, began, to: sender.find(notice).await }
    }

    async fn post(&self, message: &NoticeMessage) -> Result<u16, FailedPost> {
        match &self.to {
            Ok(to) => self.sender.post(to, self.notice, message).await,
            Err(why) => Err(FailedPost { status: None, why: why.clone() }),
        }
    }

    /// What is shown of an attempt that is not repeated.
    fn attempt(&self, message: &NoticeMessage, posted: Result<u16, FailedPost>) -> NoticeAttempt {
        let (result, status, error) = match posted {
            Ok(status) => (AttemptResult::Delivered, Some(status), None),
            Err(failed) => (AttemptResult::Failed, failed.status, Some(failed.why)),
        };
        let (at, began) = self.began;
        NoticeAttempt {
            at,
            message: message.id,
            kind: message.kind,
            attempt: message.attempts + 1,
            result,
            status,
            error,
            took_ms: began.elapsed().as_millis() as u64,
            next_at: None,
        }
    }
}
