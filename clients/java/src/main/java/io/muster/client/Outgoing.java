package io.muster.client;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.UUID;

/**
 * A frame to the node, encoded once.
 *
 * @param text the frame
 * @param resultOf the command, if the frame is its result; else null
 * @param bytes the size of the frame
 */
record Outgoing(String text, UUID resultOf, int bytes) {
    /** The most bytes of an event's name and payload together. */
    static final int EVENT_MAX = 8 * 1024;
    /** The most numbers in a health frame. */
    static final int METRICS_MAX = 64;

    private Outgoing(JsonObject frame, UUID resultOf) {
        this(frame.toString(), resultOf);
    }

    /** A result as it was sent before, or another frame that is encoded already. */
    Outgoing(String text, UUID resultOf) {
        this(text, resultOf, text.getBytes(StandardCharsets.UTF_8).length);
    }

    static Outgoing hello(String sdk, Map<String, String> labels, String resume, JsonElement will) {
        JsonObject frame = frame("hello");
        frame.addProperty("sdk", sdk);
        JsonObject pairs = new JsonObject();
        labels.forEach(pairs::addProperty);
        frame.add("labels", pairs);
        if (resume != null) {
            frame.addProperty("resume", resume);
        }
        if (will != null) {
            frame.add("will", will);
        }
        return new Outgoing(frame, null);
    }

    static Outgoing ack(UUID id) {
        return new Outgoing(about("ack", id), null);
    }

    static Outgoing progress(UUID id, Payload payload) {
        JsonObject frame = about("progress", id);
        payload.addTo(frame);
        return new Outgoing(frame, null);
    }

    /** {@code reason} is {@code rejected} or {@code expired} if the command was not run, or else null. */
    static Outgoing result(UUID id, boolean ok, String reason, Payload payload) {
        JsonObject frame = about("result", id);
        frame.addProperty("ok", ok);
        if (reason != null) {
            frame.addProperty("reason", reason);
        }
        payload.addTo(frame);
        return new Outgoing(frame, id);
    }

    static Outgoing health(Condition condition, Map<String, ? extends Number> metrics) {
        if (metrics.size() > METRICS_MAX) {
            throw new IllegalArgumentException("health has " + metrics.size() + " metrics, and may have " + METRICS_MAX);
        }
        JsonObject frame = frame("health");
        frame.addProperty("condition", condition.word());
        JsonObject numbers = new JsonObject();
        metrics.forEach(numbers::addProperty);
        frame.add("metrics", numbers);
        return new Outgoing(frame, null);
    }

    /** {@code id} is null for an event that may be lost with its connection. */
    static Outgoing event(String id, String name, Payload payload) {
        int size = name.getBytes(StandardCharsets.UTF_8).length + payload.size();
        if (size > EVENT_MAX) {
            throw SendException.eventTooLarge(size, EVENT_MAX);
        }
        JsonObject frame = frame("event");
        if (id != null) {
            frame.addProperty("id", id);
        }
        frame.addProperty("name", name);
        payload.addTo(frame);
        return new Outgoing(frame, null);
    }

    static Outgoing token(Token token) {
        JsonObject frame = frame("token");
        frame.addProperty("token", token.reveal());
        return new Outgoing(frame, null);
    }

    /**
     * What is sent instead of a result over {@code limit} bytes, so that the command ends: a failure that names both sizes
     * or, if even that is over the limit, one without a payload. Null for a frame that is no result.
     */
    Outgoing replacement(int limit) {
        if (resultOf == null) {
            return null;
        }
        JsonObject sizes = new JsonObject();
        sizes.addProperty("error", "too_large");
        sizes.addProperty("bytes", bytes);
        sizes.addProperty("limit", limit);
        Outgoing explained = result(resultOf, false, null, Payload.json(sizes));
        return explained.bytes <= limit ? explained : result(resultOf, false, null, Payload.NULL);
    }

    @Override
    public String toString() {
        // The text may hold a token.
        return bytes + " bytes";
    }

    private static JsonObject about(String type, UUID id) {
        JsonObject frame = frame(type);
        frame.addProperty("id", id.toString());
        return frame;
    }

    private static JsonObject frame(String type) {
        JsonObject frame = new JsonObject();
        frame.addProperty("type", type);
        return frame;
    }
}
