package io.muster.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.Test;

/** When the token source is asked, and what becomes of its answers. */
class TokenTest {
    private static final long NOW = Scene.NODE_TIME.getEpochSecond();

    /** A token that expires so many seconds after the welcome. */
    private static Token token(long seconds) {
        String claims = "{\"exp\":" + (NOW + seconds) + "}";
        return Token.of("e30." + Base64.getUrlEncoder().withoutPadding().encodeToString(
                claims.getBytes(StandardCharsets.UTF_8)) + ".c2ln");
    }

    private static Scene started() throws IOException {
        Scene scene = new Scene(Settings.of("t1").url("ws://one/ws").token(TokenSource.fixed("any")));
        scene.connector.attempt(scene.now);
        return scene;
    }

    private static Scene online(Token token) throws IOException {
        Scene scene = started();
        scene.answer(token);
        scene.welcome(false, "c0");
        return scene;
    }

    /** Lets time pass in a session whose node pings. */
    private static void passOnline(Scene scene, int seconds) {
        for (int second = 0; second < seconds; second++) {
            scene.pass(Duration.ofSeconds(1));
            scene.connector.onSign(scene.dialed.size(), scene.now);
        }
    }

    @Test
    void noAttemptIsMadeWithoutATokenAndASourceThatHangsHoldsNothingUpForLong() throws IOException {
        Scene scene = started();
        scene.pass(Duration.ofSeconds(10));
        assertEquals(List.of(), scene.dialed);
        assertEquals(List.of("NO_TOKEN 0"), scene.told);
        scene.pass(Duration.ofSeconds(5));
        scene.answer(token(3600));
        assertEquals(List.of(token(3600)), scene.tokens);
    }

    @Test
    void beforeATokenExpiresANewerOneIsSent() throws IOException {
        Scene scene = online(token(100));
        int before = scene.questions;
        passOnline(scene, 79);
        assertEquals(before, scene.questions, "not before the last fifth");
        passOnline(scene, 11);
        assertEquals(before + 1, scene.questions);
        scene.answer(token(200));
        assertEquals("token", scene.lastSent().get("type").getAsString());
        assertEquals(token(200).reveal(), scene.lastSent().get("token").getAsString());
    }

    @Test
    void aSourceWithoutANewerTokenIsAskedAgainLessAndLessOften() throws IOException {
        Scene scene = online(token(100));
        passOnline(scene, 90);
        int sentBefore = scene.sent.size();
        int before = scene.questions;
        for (int second = 0; second < 60; second++) {
            scene.answer(token(100));
            passOnline(scene, 1);
        }
        int asked = scene.questions - before;
        assertTrue(asked >= 3 && asked <= 8, "" + asked);
        assertEquals(sentBefore, scene.sent.size());
    }

    @Test
    void afterARefusalAnotherTokenIsUsedByTheBackoffAndWithoutOneItIsMinutes() throws IOException {
        Scene scene = started();
        scene.answer(token(3600));
        scene.connector.onEnd(1, ConnectionEnd.refused(401, null), scene.now);
        scene.answer(token(7200));
        assertTrue(scene.retryIn.toMillis() <= 5_000);
        scene.pass(Duration.ofSeconds(5));
        assertEquals(List.of(token(3600), token(7200)), scene.tokens);
        scene.connector.onEnd(2, ConnectionEnd.refused(401, null), scene.now);
        assertTrue(scene.retryIn.toSeconds() >= 150, "two tokens in a row were refused");
    }

    @Test
    void withoutAnotherTokenTheSourceIsAskedMeanwhileAndItsTokenIsUsedAtOnce() throws IOException {
        Scene scene = started();
        scene.answer(token(3600));
        scene.connector.onEnd(1, ConnectionEnd.refused(401, null), scene.now);
        scene.answer(token(3600));
        assertTrue(scene.retryIn.toSeconds() >= 150);
        int before = scene.questions;
        for (int second = 0; second < 30 && scene.questions == before; second++) {
            scene.pass(Duration.ofSeconds(1));
        }
        assertTrue(scene.questions > before, "it is asked within 30 s");
        scene.answer(token(7200));
        assertEquals(List.of(token(3600), token(7200)), scene.tokens);
    }

    @Test
    void afterAnExpiredTokenWithoutAnotherItIsMinutesToo() throws IOException {
        Scene scene = online(token(10));
        passOnline(scene, 12);
        scene.close(4004, "the token has expired");
        scene.answer(token(10));
        assertTrue(scene.retryIn.toSeconds() >= 150, scene.retryIn::toString);
        assertFalse(scene.connector.isGone());
    }

    @Test
    void aRefusedTokenGivesWayToTheOneBefore() throws IOException {
        Scene scene = online(token(100));
        passOnline(scene, 90);
        scene.answer(token(200));
        scene.text("{'type':'error','code':'token_refused','message':'wrong sub'}");
        scene.close(4003, "");
        scene.pass(Duration.ofSeconds(5));
        assertEquals(token(100), scene.tokens.get(1));
    }
}
