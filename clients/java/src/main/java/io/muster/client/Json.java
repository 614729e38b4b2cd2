package io.muster.client;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonSyntaxException;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.StringReader;
import java.math.BigDecimal;
import java.util.OptionalLong;

/** Reads JSON as RFC 8259 has it. Gson alone takes comments, single quotes and much else. */
final class Json {
    private Json() {}

    /** Parses one value. Fails with a {@link JsonParseException} that does not repeat the text. */
    static JsonElement parse(String text) {
        JsonReader reader = new JsonReader(new StringReader(text));
        reader.setStrictness(Strictness.STRICT);
        try {
            JsonElement value = JsonParser.parseReader(reader);
            if (reader.peek() != JsonToken.END_DOCUMENT) {
                throw new JsonSyntaxException("there is more than one value");
            }
            return value;
        } catch (IOException | NumberFormatException error) {
            throw new JsonSyntaxException("it is no JSON");
        }
    }

    /** A field that is a text. Fails with a {@link JsonParseException} that names the field. */
    static String text(JsonObject object, String field) {
        String text = optionalText(object, field);
        if (text == null) {
            throw new JsonParseException(field + " is missing or is no text");
        }
        return text;
    }

    /** A field that is a text; null if it is missing or something else. */
    static String optionalText(JsonObject object, String field) {
        JsonElement value = object.get(field);
        boolean isText = value != null && value.isJsonPrimitive() && value.getAsJsonPrimitive().isString();
        return isText ? value.getAsString() : null;
    }

    /** A field that is a whole number from 0 on; empty if it is missing or something else. A number beyond a long is the largest. */
    static OptionalLong count(JsonObject object, String field) {
        JsonElement value = object.get(field);
        if (value == null || !value.isJsonPrimitive() || !value.getAsJsonPrimitive().isNumber()) {
            return OptionalLong.empty();
        }
        String digits = value.getAsString();
        if (!digits.matches("[0-9]{1,30}")) {
            return OptionalLong.empty();
        }
        return OptionalLong.of(new BigDecimal(digits).min(BigDecimal.valueOf(Long.MAX_VALUE)).longValue());
    }
}
