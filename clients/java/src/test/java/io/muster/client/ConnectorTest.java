package io.muster.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The terminal's behaviour, without a network and without a clock. */
class ConnectorTest {
    private static final Duration SECOND = Duration.ofSeconds(1);

    @TempDir Path folder;

    @Test
    void aCommandIsAcknowledgedWhenTheProgramHasItAndThenAnswered() throws IOException {
        Scene scene = Scene.online();
        scene.command(1, "echo", ",'payload':{'n':1.50}");
        assertEquals(List.of(1L), scene.sent("ack"));
        assertEquals("{\"n\":1.50}", scene.lastSent().get("payload").toString());
        assertTrue(scene.sent.get(1).contains("\"ack\"") && scene.sent.get(2).contains("\"result\""), scene.sent::toString);
    }

    @Test
    void aCommandThatArrivesTwiceRunsOnceAndItsResultIsSentAgain() throws IOException {
        Scene scene = Scene.online();
        scene.command(1, "echo", "");
        scene.command(1, "echo", "");
        assertEquals(List.of("echo"), scene.run);
        assertEquals(List.of(1L, 1L), scene.sent("ack"));
        assertEquals(List.of(1L, 1L), scene.sent("result"));
    }

    @Test
    void aProgramThatThrowsHasFailedAndTheReplyDoesNotSayWhatTheExceptionSaid() throws IOException {
        Scene scene = Scene.online();
        scene.command(1, "throw", "");
        assertEquals(List.of(1L), scene.sent("ack"));
        assertFalse(scene.lastSent().get("ok").getAsBoolean());
        assertFalse(scene.sent.toString().contains("secret"));
    }

    @Test
    void aCommandIsNotRunAfterItsExpiryByTheNodesClock() throws IOException {
        Scene scene = Scene.online();
        for (int second = 0; second < 61; second++) {
            scene.pass(SECOND);
            scene.connector.onSign(1, scene.now);
        }
        scene.command(1, "echo", "");
        assertEquals(List.of(), scene.run);
        assertEquals("expired", scene.lastSent().get("reason").getAsString());
        assertEquals(List.of(), scene.sent("ack"));
    }

    @Test
    void aStaggeredCommandIsAcknowledgedAfterItsDelayAndHoldsTheCursorBack() throws IOException {
        Scene scene = Scene.online();
        scene.command(1, "echo", ",'cursor':'c1','stagger_ms':2000");
        scene.command(2, "echo", ",'cursor':'c2'");
        assertEquals(List.of(2L), scene.sent("ack"));
        assertEquals("c0", scene.seen.cursor());
        scene.pass(Duration.ofMillis(2000));
        assertEquals(List.of(2L, 1L), scene.sent("ack"));
        assertEquals("c2", scene.seen.cursor());
    }

    @Test
    void aStaggeredCommandThatExpiresMeanwhileIsNotRun() throws IOException {
        Scene scene = Scene.online();
        scene.text("{'type':'command','id':'" + Scene.id(1)
                + "','name':'echo','expires_at':'2030-01-01T00:00:00.000001Z','stagger_ms':2000}");
        scene.pass(Duration.ofMillis(2000));
        assertEquals(List.of(), scene.run);
        assertEquals("expired", scene.lastSent().get("reason").getAsString());
    }

    @Test
    void theNextSessionResumesAndSendsTheLastResultsFirst() throws IOException {
        Scene scene = Scene.online();
        scene.command(1, "echo", ",'cursor':'c1'");
        scene.text("{'type':'gap','from':'c1','to':'c5','reason':'gone'}");
        scene.close(1012, "{'retry_ms':1500}");
        assertTrue(scene.retryIn.toMillis() >= 1500 && scene.retryIn.toMillis() <= 1650, scene.retryIn::toString);
        scene.pass(Duration.ofMillis(1650));
        scene.welcome(true, "c9");
        assertEquals("c5", scene.firstSent().get("resume").getAsString());
        assertEquals(List.of(1L), scene.sent("result"));
        assertEquals("c5", scene.seen.cursor(), "what was missed is still to come");
        assertEquals(List.of(0, 0), scene.dialed, "a node that sent a close is healthy");
    }

    @Test
    void afterARestartACommandIsNotRunAgainAndItsResultIsSent() throws IOException {
        Path memory = folder.resolve("memory");
        Scene before = new Scene(Settings.of("t1").url("ws://one/ws"), memory);
        before.connector.attempt(before.now);
        before.welcome(false, "c0");
        before.command(1, "echo", ",'cursor':'c1'");
        before.command(2, "quiet", ",'cursor':'c2'");
        Scene after = new Scene(Settings.of("t1").url("ws://one/ws"), memory);
        after.connector.attempt(after.now);
        after.welcome(true, "c2");
        after.command(1, "echo", "");
        after.command(2, "quiet", "");
        assertEquals(List.of(), after.run);
        assertTrue(after.sent.get(0).contains("\"resume\":\"c2\""));
        assertEquals(List.of(1L, 2L), after.sent("ack"));
        assertTrue(after.sent("result").contains(1L));
    }

    @Test
    void aSilentLineIsGivenUpAndTheNextUrlIsTried() throws IOException {
        Scene scene = Scene.online();
        scene.pass(Duration.ofMillis(2999));
        assertFalse(scene.isAborted);
        scene.pass(Duration.ofMillis(1));
        assertTrue(scene.isAborted);
        assertEquals(List.of("SILENT 1006"), scene.told);
        scene.pass(Duration.ofSeconds(5));
        assertEquals(List.of(0, 1), scene.dialed);
    }

    @Test
    void anAttemptWithoutAWelcomeEndsAtTheDeadline() throws IOException {
        Scene scene = new Scene(Settings.of("t1").url("ws://one/ws"));
        scene.connector.attempt(scene.now);
        scene.pass(Duration.ofSeconds(10));
        assertEquals(List.of("NO_WELCOME 0"), scene.told);
        scene.connector.onOpen(1, "muster.v1", scene.now);
        assertEquals(List.of(), scene.sent, "an attempt that was given up says nothing more");
    }

    @Test
    void afterAFinalCloseTheTerminalStaysAway() throws IOException {
        Scene scene = Scene.online();
        scene.close(4509, "");
        assertEquals(List.of("GONE 4509"), scene.told);
        assertTrue(scene.connector.isGone());
    }

    @Test
    void aResultOverTheLimitIsReplacedByASmallOne() throws IOException {
        Scene scene = Scene.online();
        scene.command(1, "quiet", "");
        scene.last.succeed(Payload.text("x".repeat(100_000)));
        assertEquals(List.of("NOT_SENT 65536"), scene.told);
        assertEquals("too_large", scene.lastSent().get("payload").getAsJsonObject().get("error").getAsString());
    }

    @Test
    void whoLeavesSaysSoAndIsGoneAfterTheAnswerOrASecond() throws IOException {
        Scene scene = Scene.online();
        scene.connector.leave(scene.now);
        assertTrue(scene.isClosed && !scene.connector.isGone());
        scene.close(1000, "");
        assertTrue(scene.connector.isGone());
        Scene other = Scene.online();
        other.connector.leave(other.now);
        other.pass(SECOND);
        assertEquals(List.of("GONE 0"), other.told);
    }
}
