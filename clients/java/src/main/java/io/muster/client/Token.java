package io.muster.client;

import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/** A bearer token. It is never printed: a record would show it. */
final class Token {
    private final String text;
    private final Long expires;

    private Token(String text) {
        this.text = text;
        this.expires = expiry(text);
    }

    /** Fails with an {@link IllegalArgumentException} that does not repeat the text. */
    static Token of(String text) {
        if (text == null || text.isEmpty() || !text.chars().allMatch(letter -> letter > 0x20 && letter < 0x7f)) {
            throw new IllegalArgumentException("a token is one word of visible ASCII characters");
        }
        return new Token(text);
    }

    /** The token in the clear. */
    String reveal() {
        return text;
    }

    /** The last second in which the token says that it is valid, since 1970; null if it does not say. */
    Long expires() {
        return expires;
    }

    private static Long expiry(String token) {
        String[] parts = token.split("\\.", -1);
        if (parts.length != 3) {
            return null;
        }
        try {
            JsonElement claims = Json.parse(new String(Base64.getUrlDecoder().decode(parts[1]), StandardCharsets.UTF_8));
            JsonElement exp = claims.isJsonObject() ? claims.getAsJsonObject().get("exp") : null;
            boolean isNumber = exp != null && exp.isJsonPrimitive() && exp.getAsJsonPrimitive().isNumber();
            // A double, since a time may have a fraction or an exponent.
            return isNumber ? Long.valueOf((long) exp.getAsDouble()) : null;
        } catch (IllegalArgumentException | JsonParseException noClaims) {
            return null;
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Token token && text.equals(token.text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }

    @Override
    public String toString() {
        return "***";
    }
}
