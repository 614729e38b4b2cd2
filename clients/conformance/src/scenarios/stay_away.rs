//! Closes and refusals after which a client does not come back by itself.

use serde_json::json;

use crate::stage::{Stage, Stop};

/// The program is started for each code of 4500 and above.
pub async fn after_closes(stage: &mut Stage) -> Result<(), Stop> {
    let known = [4500, 4501, 4503, 4509].map(|code| ("R25", code, ""));
    // Nobody knows this one. What its reason says does not count.
    let unknown = ("R33", 4777, r#"{"retry_ms":5}"#);
    for (rule, code, reason) in known.into_iter().chain([unknown]) {
        stage.start();
        let link = stage.session(rule, "a handshake of the program", json!({})).await?;
        link.close(code, reason).await;
        stage.must_stay_away(rule, &format!("a close with {code}")).await?;
    }
    Ok(())
}

/// The program is started for each status that would be the same again.
pub async fn after_refusals(stage: &mut Stage) -> Result<(), Stop> {
    for status in [400, 403, 404] {
        stage.start();
        stage.refuse("R25", "a handshake of the program", status, None).await?;
        stage.must_stay_away("R25", &format!("status {status}")).await?;
    }
    Ok(())
}
