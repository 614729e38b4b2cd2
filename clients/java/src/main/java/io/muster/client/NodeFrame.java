package io.muster.client;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.OptionalLong;
import java.util.UUID;

/** A frame from a node. */
sealed interface NodeFrame {
    /** The limit of a node whose welcome names none, in bytes. */
    int DEFAULT_MAX_MESSAGE = 64 * 1024;

    /** The session has begun. */
    record Greeting(Welcome welcome) implements NodeFrame {}

    /** A command to run. {@code cursor} and {@code stagger} are null if it has none. */
    record Order(UUID id, String name, Payload payload, Instant expiresAt, String cursor, Duration stagger)
            implements NodeFrame {}

    /** Commands are missing. */
    record Missing(Gap gap) implements NodeFrame {}

    /** The event with this id is stored. */
    record Stored(String id) implements NodeFrame {}

    /** A close follows. {@code retry} is null if the node gives no hint. */
    record Goodbye(Duration retry) implements NodeFrame {}

    /** The node could not use a frame. */
    record Fault(String code, String message) implements NodeFrame {}

    /** Reads a frame. Returns null for a type that is not known, and for a text that is no frame: both are ignored. */
    static NodeFrame decode(String text) {
        try {
            JsonElement json = Json.parse(text);
            return json.isJsonObject() ? decode(json.getAsJsonObject()) : null;
        } catch (JsonParseException | DateTimeException | IllegalArgumentException | IllegalStateException malformed) {
            return null;
        }
    }

    private static NodeFrame decode(JsonObject frame) {
        return switch (Json.text(frame, "type")) {
            case "welcome" -> new Greeting(welcome(frame));
            case "command" -> order(frame);
            case "gap" -> new Missing(
                    new Gap(Json.text(frame, "from"), Json.text(frame, "to"), Json.text(frame, "reason")));
            case "ack" -> new Stored(Json.text(frame, "id"));
            case "goodbye" -> new Goodbye(millis(Json.count(frame, "retry_ms")));
            case "error" -> new Fault(Json.text(frame, "code"), Json.text(frame, "message"));
            default -> null;
        };
    }

    private static Welcome welcome(JsonObject frame) {
        JsonElement resumed = frame.get("resumed");
        long limit = Json.count(frame, "max_message").orElse(DEFAULT_MAX_MESSAGE);
        return new Welcome(
                Json.text(frame, "session"),
                Json.text(frame, "node"),
                time(frame, "time"),
                Duration.ofMillis(Json.count(frame, "ping_ms").orElse(0)),
                (int) Math.min(limit, Integer.MAX_VALUE),
                resumed != null && resumed.isJsonPrimitive() && resumed.getAsBoolean(),
                Json.optionalText(frame, "cursor"));
    }

    private static Order order(JsonObject frame) {
        return new Order(
                UUID.fromString(Json.text(frame, "id")),
                Json.text(frame, "name"),
                Payload.of(frame),
                time(frame, "expires_at"),
                Json.optionalText(frame, "cursor"),
                millis(Json.count(frame, "stagger_ms")));
    }

    private static Instant time(JsonObject frame, String field) {
        return OffsetDateTime.parse(Json.text(frame, field)).toInstant();
    }

    private static Duration millis(OptionalLong count) {
        return count.isPresent() ? Duration.ofMillis(count.getAsLong()) : null;
    }
}
