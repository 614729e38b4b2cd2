//! Notices as both backplanes store them. What is done with them, the module [`notices`](crate::notices) decides.

mod away_score;
mod record;
mod stored;

pub use self::{
    away_score::AwayScore,
    record::{NoticeMessage, NoticePlace, NoticeRecord, NoticeSurvey},
    stored::{CarriedNotices, NoticeChange, NoticeStep, NoticeTurn, StoredNotice, TriedMessage},
};
