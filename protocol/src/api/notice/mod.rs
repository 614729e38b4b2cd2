//! Notices: what operators are to hear without looking. A node posts each message of a notice to the notice's URL.

mod attempt;
mod kind;
mod request;
mod view;

pub use self::{
    attempt::{AttemptResult, NoticeAttempt, NoticeAttempts},
    kind::NoticeKind,
    request::{NoticeRequest, NoticeSecret},
    view::{NewNotice, NoticePage, NoticeView},
};
