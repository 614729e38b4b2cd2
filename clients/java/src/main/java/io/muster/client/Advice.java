package io.muster.client;

import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import java.time.Duration;
import java.util.OptionalLong;

/** What a terminal does after a close. The code alone decides; an unknown one is judged by its range. */
enum Advice {
    /** Come back after the hint in the close or, if it has none, by the backoff. */
    FOLLOW_HINT,
    /** Come back by the backoff. */
    BACKOFF,
    /** Do not come back: the session would end in the same way. */
    STAY_AWAY;

    static Advice of(int code) {
        if (code == 1001 || code == 1012) {
            return FOLLOW_HINT;
        }
        return code >= 4500 && code <= 4999 ? STAY_AWAY : BACKOFF;
    }

    /** The hint in a close reason such as {@code {"retry_ms":1500}}; null if the reason is another text. */
    static Duration hintIn(String reason) {
        try {
            JsonElement json = Json.parse(reason);
            OptionalLong retry = json.isJsonObject() ? Json.count(json.getAsJsonObject(), "retry_ms") : OptionalLong.empty();
            return retry.isPresent() ? Duration.ofMillis(retry.getAsLong()) : null;
        } catch (JsonParseException notJson) {
            return null;
        }
    }
}
