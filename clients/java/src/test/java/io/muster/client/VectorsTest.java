package io.muster.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** The test vectors in protocol/vectors, which every client reads. */
class VectorsTest {
    private static final UUID ID = UUID.fromString("0190163d-8694-739b-aea5-966c26f8ad91");

    private static final Duration SECOND = Duration.ofSeconds(1);
    /** When the tokens of the vectors have expired. */
    private static final Instant AFTER_EXPIRY = Instant.ofEpochSecond(4_000_000_001L);

    private static JsonObject vectors(String name) throws IOException {
        Path folder = Path.of("..", "..", "protocol", "vectors");
        return JsonParser.parseString(Files.readString(folder.resolve(name))).getAsJsonObject();
    }

    @Test
    void eachFrameOfANodeIsReadAndWhatIsNoneIsIgnored() throws IOException {
        JsonObject frames = vectors("frames.json");
        for (JsonElement each : frames.getAsJsonArray("valid")) {
            JsonObject vector = each.getAsJsonObject();
            if (vector.get("from").getAsString().equals("node")) {
                assertNotNull(NodeFrame.decode(vector.get("text").getAsString()), vector::toString);
            }
        }
        for (JsonElement each : frames.getAsJsonArray("invalid")) {
            JsonObject vector = each.getAsJsonObject();
            if (vector.get("from").getAsString().equals("node")) {
                assertNull(NodeFrame.decode(vector.get("text").getAsString()), vector::toString);
            }
        }
    }

    @Test
    void eachFrameOfATerminalIsWrittenAsTheVectorsHaveIt() throws IOException {
        JsonObject will = JsonParser.parseString("{\"power\":\"lost\"}").getAsJsonObject();
        Payload reply = Payload.json(JsonParser.parseString("{\"percent\":40}"));
        Payload closed = Payload.json(JsonParser.parseString("{\"open\":false}"));
        String text = vectors("frames.json").getAsJsonArray("valid").toString();
        for (Outgoing frame : new Outgoing[] {
            Outgoing.hello("kiosk/1.2", Map.of("site", "bj"), "c7", will),
            Outgoing.ack(ID),
            Outgoing.progress(ID, reply),
            Outgoing.result(ID, true, null, Payload.text("done")),
            Outgoing.result(ID, true, null, Payload.bytes(new byte[] {0, (byte) 255})),
            Outgoing.result(ID, false, "rejected", Payload.NULL),
            Outgoing.result(ID, false, "expired", Payload.NULL),
            Outgoing.event("e17", "door", closed),
        }) {
            String asJson = new JsonPrimitive(frame.text()).toString();
            assertTrue(text.contains(asJson), frame.text());
        }
    }

    @Test
    void eachCloseIsFollowedByWhatItAdvises() throws IOException {
        for (JsonElement each : vectors("close.json").getAsJsonArray("closes")) {
            JsonObject vector = each.getAsJsonObject();
            int code = vector.get("code").getAsInt();
            String reason = vector.get("reason").getAsString();
            JsonElement retry = vector.get("retry_ms");
            assertEquals(vector.get("advice").getAsString(), Advice.of(code).name().toLowerCase(Locale.ROOT));
            Duration hint = retry.isJsonNull() ? null : Duration.ofMillis(retry.getAsLong());
            assertEquals(hint, ConnectionEnd.closed(code, reason, null).hint(), vector::toString);
        }
    }

    @Test
    void eachEndMakesTheDelayOfTheVectors() throws IOException {
        Token token = Token.of(vectors("tokens.json").getAsJsonArray("tokens").get(0).getAsJsonObject().get("token").getAsString());
        for (JsonElement each : vectors("policy.json").getAsJsonArray("delays")) {
            for (long seed = 0; seed < 100; seed++) {
                TokenRenewal tokens = new TokenRenewal(TokenSource.fixed("any"), SECOND, new SplittableRandom(seed));
                tokens.use(token);
                waitsAsItShould(each.getAsJsonObject(), new WayBack(tokens, new Backoff(Policy.DEFAULT, new SplittableRandom(seed))));
            }
        }
    }

    private static void waitsAsItShould(JsonObject vector, WayBack wayBack) {
        for (int failures = vector.get("failures").getAsInt(); failures > 0; failures--) {
            wayBack.after(ConnectionEnd.of(ConnectionEnd.Kind.LOST, ""), Duration.ZERO);
        }
        boolean comesBack = wayBack.after(end(vector.getAsJsonObject("end")), Duration.ofMillis(vector.get("lasted_ms").getAsLong()));
        assertEquals(vector.get("delay_ms").isJsonArray(), comesBack, vector::toString);
        if (comesBack) {
            boolean hasNewToken = vector.has("other_token") && vector.get("other_token").getAsBoolean();
            Duration wait = wayBack.begin(hasNewToken, AFTER_EXPIRY, 0);
            JsonArray range = vector.getAsJsonArray("delay_ms");
            boolean isWithin = wait.compareTo(Duration.ofMillis(range.get(0).getAsLong())) >= 0
                    && wait.compareTo(Duration.ofMillis(range.get(1).getAsLong())) <= 0;
            assertTrue(isWithin, () -> wait + " " + vector);
        }
    }

    private static ConnectionEnd end(JsonObject end) {
        if (end.has("close")) {
            return ConnectionEnd.closed(end.get("close").getAsInt(), end.get("reason").getAsString(), null);
        }
        if (end.has("status")) {
            JsonElement retry = end.get("retry_after_s");
            return ConnectionEnd.refused(end.get("status").getAsInt(), retry.isJsonNull() ? null : Duration.ofSeconds(retry.getAsLong()));
        }
        return ConnectionEnd.of(ConnectionEnd.Kind.LOST, "");
    }

    @Test
    void anIdOfATerminalIsTakenOrRefused() throws IOException {
        JsonObject ids = vectors("ids.json").getAsJsonObject("terminal_id");
        ids.getAsJsonArray("valid").forEach(id -> Settings.of(id.getAsString()));
        ids.getAsJsonArray("invalid").forEach(
                id -> assertThrows(IllegalArgumentException.class, () -> Settings.of(id.getAsString()), id::toString));
    }

    @Test
    void aTokenTellsWhenItExpiresAndIsNeverPrinted() throws IOException {
        JsonObject vector = vectors("tokens.json").getAsJsonArray("tokens").get(0).getAsJsonObject();
        Token token = Token.of(vector.get("token").getAsString());
        assertEquals(4_000_000_000L, token.expires());
        assertEquals("***", token.toString());
        assertNull(Token.of("no-jwt").expires());
        assertThrows(IllegalArgumentException.class, () -> Token.of("two words"));
    }

    @Test
    void aPayloadIsPassedOnAsItIsWritten() {
        String json = "{\"z\":1.50,\"a\":[1e400,12345678901234567890123,\"é\\u0000\"]}";
        NodeFrame.Order order = (NodeFrame.Order) NodeFrame.decode("{\"type\":\"command\",\"id\":\"" + ID
                + "\",\"name\":\"show\",\"payload\":" + json + ",\"expires_at\":\"2030-01-01T00:01:00Z\"}");
        assertEquals(json, order.payload().toString());
        assertEquals("turn left", Payload.text("turn left").asText());
        assertNull(NodeFrame.decode("{'type':'ack','id':'e1'}"), "Gson alone takes single quotes");
    }
}
