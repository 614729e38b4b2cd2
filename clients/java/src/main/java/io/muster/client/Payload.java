package io.muster.client;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Objects;

/** The arguments of a command, the reply to it, or the data of an event: JSON, or bytes. */
public final class Payload {
    /** The JSON value null: what a payload is that nobody gave. */
    public static final Payload NULL = new Payload(JsonNull.INSTANCE, null);

    private static final Gson GSON = new Gson();

    private final JsonElement json;
    private final byte[] bytes;

    private Payload(JsonElement json, byte[] bytes) {
        this.json = json;
        this.bytes = bytes;
    }

    /** A JSON value. */
    public static Payload json(JsonElement json) {
        return new Payload(Objects.requireNonNull(json), null);
    }

    /** A JSON string. */
    public static Payload text(String text) {
        return json(new JsonPrimitive(text));
    }

    /** A map, a list, a record or any other object, as Gson writes it. */
    public static Payload of(Object value) {
        return json(GSON.toJsonTree(value));
    }

    /** Bytes. A frame carries them as base64, which is a third longer. */
    public static Payload bytes(byte[] bytes) {
        return new Payload(null, bytes.clone());
    }

    /** Whether the payload is bytes and not JSON. */
    public boolean isBytes() {
        return bytes != null;
    }

    /** The JSON value. Fails with an {@link IllegalStateException} if the payload is bytes. */
    public JsonElement asJson() {
        if (isBytes()) {
            throw new IllegalStateException("the payload is bytes: ask isBytes() first, and use asBytes()");
        }
        return json;
    }

    /** The bytes, or the JSON text in UTF-8. */
    public byte[] asBytes() {
        return isBytes() ? bytes.clone() : json.toString().getBytes(StandardCharsets.UTF_8);
    }

    /** The content of a JSON string, or else the JSON text. Fails as {@link #asJson} does. */
    public String asText() {
        JsonElement value = asJson();
        return value.isJsonPrimitive() && value.getAsJsonPrimitive().isString() ? value.getAsString() : value.toString();
    }

    /** Adds the field {@code payload} or {@code payload_base64} to a frame. */
    void addTo(JsonObject frame) {
        if (isBytes()) {
            frame.addProperty("payload_base64", Base64.getEncoder().encodeToString(bytes));
        } else {
            frame.add("payload", json);
        }
    }

    /** The payload of a frame. Fails with an {@link IllegalArgumentException} if the base64 is none. */
    static Payload of(JsonObject frame) {
        JsonElement base64 = frame.get("payload_base64");
        if (base64 != null && !base64.isJsonNull()) {
            return bytes(Base64.getDecoder().decode(base64.getAsString()));
        }
        JsonElement json = frame.get("payload");
        return json == null ? NULL : json(json);
    }

    /** How many bytes the payload has as JSON, as the limit of an event counts them. */
    int size() {
        JsonObject frame = new JsonObject();
        addTo(frame);
        String text = isBytes() ? frame.get("payload_base64").toString() : json.toString();
        return text.getBytes(StandardCharsets.UTF_8).length;
    }

    @Override
    public String toString() {
        return isBytes() ? bytes.length + " bytes" : json.toString();
    }
}
